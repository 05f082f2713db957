"""One loop and the steps of each method."""
