"""Suffrage gives people a vote in what a language model says."""

__version__ = "0.1.0"
