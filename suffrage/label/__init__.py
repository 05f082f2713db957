"""People's judgments, and simulated people's."""
