"""What changed: stance, reward quality, answers side by side."""
