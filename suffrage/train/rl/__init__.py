"""Methods that learn from answers they sample themselves, against a reward."""
