"""Reading and writing files so that nothing half-written is ever seen and nothing is lost."""

from __future__ import annotations

import contextlib
import errno
import gzip
import json
import os
import tempfile
import zlib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from suffrage.core.errors import DataError, RunError

Json = Any


def read_bytes(path: Path) -> bytes:
    """The file's bytes, decompressed if it is gzip (by content, not by name)."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise DataError("no such file; check the path.", path) from None
    except IsADirectoryError:
        raise DataError("is a folder; name a file in it.", path) from None
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror}).", path) from None
    if raw[:2] != b"\x1f\x8b":
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"is a damaged gzip file ({error}); fetch it again.", path) from None


def read_text(path: Path) -> str:
    """The file as text: UTF-8, with or without a byte-order mark."""
    raw = read_bytes(path)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = raw[: error.start].count(b"\n") + 1
        likely = "UTF-16" if raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "BIG5"
        raise DataError(
            f"is not UTF-8 (byte 0x{raw[error.start]:02x}); save it as UTF-8, e.g. "
            f"`iconv -f {likely} -t UTF-8 {path.name} > utf8-{path.name}`.",
            path,
            row,
        ) from None


def read_json(path: Path) -> Json:
    """One JSON value."""
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DataError(
            f"is not JSON ({error.msg}, column {error.colno}).", path, error.lineno
        ) from None


def read_jsonl(path: Path) -> list[Json]:
    """One JSON value a line; blank lines are passed over."""
    return [value for _, value in numbered_jsonl(path)]


def numbered_jsonl(path: Path) -> Iterator[tuple[int, Json]]:
    """(line number from 1, value) for each line that is not blank."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except json.JSONDecodeError as error:
                message = f"is not JSON ({error.msg}, column {error.colno})."
                raise DataError(message, path, number) from None


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes `path`'s place when the block ends well."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _write_error(path, error) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _flush_to_disk(temporary)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise _write_error(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _flush_to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def check_writable(path: Path, *inputs: Path | str, overwrite: bool) -> None:
    """Raise `RunError` now where writing would fail, or destroy a file, after the work.

    An input is never written over, any other file only where `overwrite` says so.
    """
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "no ordinary file"
        raise RunError(f"{path} is {kind}; name a file to write.")
    for source in inputs:
        if path.exists() and Path(source).exists() and path.samefile(source):
            raise RunError(f"{path} is what this command reads; choose another file to write.")
    if os.path.lexists(path) and not overwrite:  # a dangling link is somebody's work as well
        raise RunError(f"{path} exists; pass --overwrite to replace it, or name another file.")
    parent = next(folder for folder in path.absolute().parents if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise RunError(f"{path}: cannot be written (no access to {parent}); choose another place.")


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_PROBE = 1 << 20  # bytes


def _write_error(path: Path, error: OSError) -> RunError:
    if error.errno in _FULL:
        return _full_disk(path)
    return RunError(f"{path}: cannot be written ({error.strerror}); choose another place.")


def _full_disk(path: Path) -> RunError:
    return RunError(f"{path}: the disk is full; free some space and run the same command again.")


def _is_full(folder: Path, error: Exception) -> bool:
    """Libraries tell of a full disk in their own words, so see whether more can be written."""
    if any(f"os error {code})" in str(error) for code in _FULL):  # Rust's words for it
        return True
    try:
        (folder / "probe").write_bytes(bytes(_PROBE))
    except OSError as failure:
        return failure.errno in _FULL
    return False


def write_text(path: Path, text: str) -> None:
    """Write the whole file or leave what was there."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Json) -> None:
    """Write one JSON value, indented, non-ASCII text readable."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def to_line(value: Json) -> str:
    """One JSON value on one line."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n"


def write_jsonl(path: Path, values: Iterable[Json]) -> None:
    """Write one JSON value a line, all or nothing."""
    write_text(path, "".join(map(to_line, values)))


def append_jsonl(path: Path, value: Json) -> None:
    """Add one line and flush it; a reader never sees part of it once this returns."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(to_line(value))
    except OSError as error:
        raise _write_error(path, error) from error


def _move_into_place(folder: Path, path: Path) -> None:
    try:
        os.replace(folder, path)
    except OSError:
        if not path.is_dir():  # where one is, another process was faster: its result is as good
            raise


def build_folder(path: Path, build: Callable[[Path], None]) -> Path:
    """Fill a new folder through `build` and move it into place whole; an existing one stays."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    except OSError as error:
        raise _write_error(path, error) from error
    try:
        build(temporary)
        os.chmod(temporary, 0o777 & ~_umask())
        _move_into_place(temporary, path)
    except OSError as error:
        raise _write_error(path, error) from error
    except Exception as error:
        if _is_full(temporary, error):
            raise _full_disk(path) from error
        raise
    finally:
        _remove(temporary)
    return path


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def read_log(file: Path) -> list[Json]:
    """The rows of a log of ours; a last line that a killed process left half-written is cut off."""
    content = file.read_bytes()  # a character may be half-written too
    if not content.endswith(b"\n"):  # cut at one stroke: other processes may be reading
        write_text(file, content[: content.rfind(b"\n") + 1].decode())
    return read_jsonl(file)
