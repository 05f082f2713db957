"""Showing what models wrote on a terminal: it is hostile text until shown otherwise."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text without the control characters that could drive a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
