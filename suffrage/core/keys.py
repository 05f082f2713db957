"""Keys made from everything that determines a result, so that a cache can never serve another's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

LARGE = 1 << 30  # bytes


def content_key(*parts: Any) -> str:
    """16 hexadecimal digits for JSON values; equal for equal values, whatever their key order."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def path_key(path: Path, skip: Collection[str] = (), large: int = LARGE) -> str:
    """The key of a file's bytes, or of a folder's files and their names; `skip` names some to omit.

    More than `large` bytes take too long to read: there sizes and times of change stand for them.
    """
    digest = hashlib.sha256()
    found = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    files = [file for file in found if file.name not in skip]
    whole = sum(file.stat().st_size for file in files) <= large
    for file in files:
        digest.update(str(file.relative_to(path) if file != path else path.name).encode() + b"\0")
        digest.update(_bytes_digest(file) if whole else _stat_digest(file))
    return digest.hexdigest()[:16]


def _bytes_digest(file: Path) -> bytes:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()


def _stat_digest(file: Path) -> bytes:
    found = file.stat()
    return hashlib.sha256(f"{found.st_size} {found.st_mtime_ns}".encode()).digest()
