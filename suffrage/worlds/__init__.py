"""The embedded world: text made here, raters with known truth, and a model of its own."""
