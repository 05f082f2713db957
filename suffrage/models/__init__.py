"""Load, forward, heads, sampling, checkpoints."""
