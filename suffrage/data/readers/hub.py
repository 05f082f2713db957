"""Rows of Parquet files and of datasets on the Hugging Face hub, through the `datasets` extra.

Both libraries are heavy and optional, so they are imported at the first use.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from suffrage.core.errors import DataError
from suffrage.core.files import read_bytes


def parquet_rows(path: Path) -> Iterable[tuple[int, Any]]:
    """(row from 1, row) of a Parquet file."""
    parquet = optional_module("pyarrow.parquet", path)
    try:
        rows = parquet.read_table(io.BytesIO(read_bytes(path))).to_pylist()
    except (OSError, ValueError) as error:  # pyarrow's errors are of these kinds
        message = f"is a damaged Parquet file ({_first_line(error)}); fetch it again."
        raise DataError(message, path) from None
    return enumerate(rows, 1)


def dataset_rows(name: str, split: str) -> Iterable[tuple[int, Any]]:
    """(row from 1, row) of one split of a dataset named `organisation/name`."""
    datasets = optional_module("datasets", name)
    try:
        return enumerate(datasets.load_dataset(name, split=split), 1)
    except Exception as error:  # the hub, the network, a cache, a split: all end here
        raise DataError(
            f"is neither a file here nor a Hugging Face dataset that could be loaded, split "
            f"{split!r} ({type(error).__name__}: {_first_line(error)}); check the name and the "
            "network, or give a file.",
            name,
        ) from None


def optional_module(module: str, source: Path | str, to_be: str = "read") -> Any:
    """A module of the `datasets` extra; `DataError` where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise DataError(
            f"needs the datasets package to be {to_be}; run `pip install 'suffrage[datasets]'`.",
            source,
        ) from None


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
