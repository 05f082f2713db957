"""One file a section: what it shows, taken from the inputs, or None where they hold none of it."""
