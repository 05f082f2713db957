"""Readers of every format, judgments to preferences, chat templates to tokens, forest packing."""
