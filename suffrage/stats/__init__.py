"""Statistics of raters and their intervals; numpy alone."""
