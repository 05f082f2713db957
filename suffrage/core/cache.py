"""Where Suffrage keeps what can be made again: trained base models, reference log-probabilities."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """$SUFFRAGE_CACHE, else the user's cache folder."""
    stated = os.environ.get("SUFFRAGE_CACHE")
    if stated:
        return Path(stated)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "suffrage"
