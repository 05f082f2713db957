"""The run directory: what every training run leaves behind, and how it resumes.

settings.json      the settings as given, and under "resolved" what was made of those left open
                   (learning rate, device, ...) when the run started; the first file written
environment.json   versions and machine
metrics.jsonl      one row a logged step; the same whether or not the run was interrupted
timing.jsonl       seconds and speed of the same steps, which are never the same twice
samples.jsonl      answers to a few held-out prompts as training went on, of methods that sample
ratings.jsonl      what a judge on a server said, where one is the reward
checkpoints/       the newest state to resume from
model/             the model in Hugging Face form, with a model card
done.json          the last file written; a run without it is unfinished
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suffrage.core.errors import RunError
from suffrage.core.files import (
    append_jsonl,
    read_json,
    read_jsonl,
    read_log,
    write_json,
    write_jsonl,
)
from suffrage.core.machine import environment

Settings = dict[str, Any]
SETTINGS, ENVIRONMENT = "settings.json", "environment.json"
METRICS, TIMING, SAMPLES = "metrics.jsonl", "timing.jsonl", "samples.jsonl"
RESOLVED = "resolved"  # a key of settings.json that follows from the machine and the others


@dataclass(frozen=True)
class RunDirectory:
    """A run directory, opened for one set of settings, or only to be read.

    resolved: what was made of the settings left open; kept, but no part of what tells runs apart.
    """

    path: Path
    settings: Settings | None = None
    resolved: Settings | None = None

    def start(self) -> None:
        """Write what identifies the run: a command that cannot even start leaves nothing behind.

        Each file is written where it is missing, since a process may be killed between the two.
        """
        if self.settings is None:
            return
        settings = {**self.settings, RESOLVED: self.resolved} if self.resolved else self.settings
        for name, content in ((SETTINGS, settings), (ENVIRONMENT, environment())):
            if not (self.path / name).exists():
                write_json(self.path / name, content)

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def done(self) -> dict[str, Any] | None:
        """What `done.json` says, or None while the run is unfinished."""
        file = self.path / "done.json"
        return read_json(file) if file.exists() else None

    @property
    def metrics(self) -> list[dict[str, Any]]:
        file = self.path / METRICS
        return read_jsonl(file) if file.exists() else []

    @property
    def seconds(self) -> float:
        """Seconds spent in the steps that count, over all resumptions."""
        file = self.path / TIMING
        rows = read_jsonl(file) if file.exists() else []
        return round(sum(float(row.get("seconds", 0)) for row in rows), 3)

    def log(self, metrics: dict[str, Any], timing: dict[str, Any]) -> None:
        """Append one step's figures; `timing` holds what differs from run to run."""
        append_jsonl(self.path / METRICS, metrics)
        append_jsonl(self.path / TIMING, {"step": metrics["step"], **timing})

    def rewind(self, step: int) -> None:
        """Forget what was logged after `step`: a resumed run logs it again."""
        for name in (METRICS, TIMING, SAMPLES):
            file = self.path / name
            if file.exists():
                rows = read_log(file)
                write_jsonl(file, [row for row in rows if row["step"] <= step])

    def finish(self, summary: dict[str, Any]) -> None:
        write_json(self.path / "done.json", summary)


def open_run(path: Path, settings: Settings) -> RunDirectory:
    """A new run directory (`start` writes to it), or the one with the same settings.

    Raises `RunError` when the folder holds another run or other files: nothing is overwritten.
    """
    file = path / SETTINGS
    if not file.exists():
        if path.exists() and not _is_empty(path):
            raise RunError(f"{path} exists and is no run directory; choose another --out.")
        return RunDirectory(path, settings)
    found = read_json(file)
    if not isinstance(found, dict):
        raise RunError(f"{file} is damaged (it holds no settings); choose another --out.")
    compared = {*found, *settings} - {RESOLVED}  # another machine may take the run up
    differing = sorted(k for k in compared if found.get(k) != settings.get(k))
    if differing:
        difference = _difference(differing[0], found, settings)
        raise RunError(f"{path} holds another run ({difference}); choose another --out.")
    return RunDirectory(path, settings)


def _difference(name: str, there: Settings, here: Settings) -> str:
    if name.endswith("_key"):
        return f"what --{name.removesuffix('_key').replace('_', '-')} names has changed since"
    return f"{name} is {there.get(name)!r} there and {here.get(name)!r} here"


def _is_empty(path: Path) -> bool:
    """Whether a folder holds nothing but what a process killed in its first moment left."""
    return path.is_dir() and all(p.name.startswith(".settings.json.") for p in path.iterdir())
