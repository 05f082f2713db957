"""The PEFT package, which is an extra: imported where an adapter needs it, and kept quiet."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from suffrage.core.errors import ModelError


def peft_for(who: str) -> Any:
    """The package; `ModelError` that says `who` needs it where it is not installed."""
    try:
        import peft
    except ImportError:
        raise ModelError(
            f"{who} needs the peft package; run `pip install 'suffrage[adapters]'`."
        ) from None
    return peft


@contextmanager
def quietly() -> Iterator[None]:
    """PEFT asks models by a name that transformers is about to drop: nothing for the user.

    Where weights are missing from a file it goes on with random ones and warns: here that raises.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
        warnings.filterwarnings("error", ".*missing adapter keys")
        yield
