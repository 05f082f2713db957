"""The versions and the machine a result was made with."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import suffrage


def environment() -> dict[str, Any]:
    """What to write beside a result so that it can be made again."""
    return {
        "suffrage": suffrage.__version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in ("torch", "transformers", "numpy")},
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["suffrage", *sys.argv[1:]]),
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def peak_memory_mib() -> int | None:
    """The most memory this process has held, in MiB; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if sys.platform == "darwin":
        return round(peak / 2**20)
    return _high_water() or round(peak / 2**10)


def _high_water() -> int | None:
    """The same as Linux tells it: what `getrusage` tells begins at the parent's own peak."""
    with suppress(OSError), open("/proc/self/status", encoding="utf-8") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 2**10)
    return None
