"""What the tests of `suffrage.data` share: files written on the spot."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def jsonl(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes rows as JSON Lines and returns the path."""

    def write(*rows: Any, name: str = "rows.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


@pytest.fixture
def one_group(jsonl: Callable[..., Path]) -> Callable[..., Any]:
    """A function from one row to the group it is read as."""
    from suffrage.data.read import read_groups

    def read(row: dict[str, Any]) -> Any:
        groups, _ = read_groups(jsonl(row))
        assert len(groups) == 1
        return groups[0]

    return read


@pytest.fixture
def reason(jsonl: Callable[..., Path]) -> Callable[..., str]:
    """A function from a good and a bad row to the reason the bad one, row 2, is refused for."""
    from suffrage.data.read import read_groups

    def refuse(good: Any, bad: Any) -> str:
        groups, report = read_groups(jsonl(good, bad))
        assert len(groups) == 1
        refused: Sequence[Any] = report.refused
        assert [one.row for one in refused] == [2]
        return str(refused[0].reason)

    return refuse
