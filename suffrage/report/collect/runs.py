"""What was run: stages, settings, versions, seeds, times, commands."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable

from suffrage.core.records import Meta
from suffrage.core.results import SummaryResult
from suffrage.report.inputs import Inputs
from suffrage.report.runs import Run
from suffrage.report.text import MISSING, duration, shorten
from suffrage.report.words import Words

_LONGEST_VALUE = 300
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)[\d:.]*(Z|[+-]\d\d:\d\d)?$")
_OF_ONE_RUN = {"started", "command"}  # what differs between runs on one machine


def collect(inputs: Inputs, words: Words) -> dict[str, object] | None:
    """Stages and settings of each study, one row and one settings table a run, the machines."""
    summaries = inputs.of(SummaryResult)
    stages = [stage for summary in summaries for stage in summary.stages]
    settings = [pairs(summary.settings) for summary in summaries if summary.settings]
    if not (inputs.runs or stages or settings):
        return None
    return {
        "stages": [_stage(stage, words) for stage in stages],
        "settings": settings,
        "runs": [_run(run) for run in inputs.runs],
        "machines": _machines(inputs.runs),
        "commands": list(_commands([*stages, *_records(inputs.runs)])),
    }


def _stage(stage: Meta, words: Words) -> dict[str, object]:
    return {
        "name": shown(words.said(stage.get("name"))),
        "what": shown(words.said(stage.get("what"))),
        "figure": shown(words.said(stage.get("figure"))),
        "seconds": duration(stage.get("seconds")),
        "reused": bool(stage.get("reused")),
    }


def _run(run: Run) -> dict[str, object]:
    done = run.done or {}
    return {
        "name": run.name,
        "what": " ".join(
            str(run.settings[key]) for key in ("verb", "method") if run.settings.get(key)
        ),
        "model": shown(run.settings.get("model")),
        "data": shown(run.settings.get("data")),
        "seed": shown(run.settings.get("seed")),
        "steps": shown(done.get("steps", _last_step(run))),
        "seconds": duration(done.get("seconds")),
        "started": moment(run.environment.get("started")),
        "finished": run.done is not None,
        "settings": pairs(run.settings),
    }


def _last_step(run: Run) -> object:
    steps = [row["step"] for row in run.metrics if isinstance(row.get("step"), int)]
    return max(steps) if steps else None


def _machines(runs: Iterable[Run]) -> list[dict[str, object]]:
    """Each distinct environment once, with the runs it served."""
    machines: dict[str, dict[str, object]] = {}
    for run in runs:
        facts = {key: value for key, value in run.environment.items() if key not in _OF_ONE_RUN}
        if facts:
            key = json.dumps(facts, sort_keys=True, default=str)
            entry = machines.setdefault(key, {"facts": pairs(facts), "runs": []})
            served = entry["runs"]
            if isinstance(served, list):
                served.append(run.name)
    return list(machines.values())


def _records(runs: Iterable[Run]) -> list[Meta]:
    return [record for run in runs for record in (run.environment, run.settings)]


def _commands(sources: Iterable[Meta]) -> Iterable[str]:
    """The command lines that stages, environments or settings recorded, each once."""
    seen: dict[str, None] = {}
    for source in sources:
        command = source.get("command") or source.get("argv")
        if isinstance(command, list):
            command = shlex.join(map(str, command))
        if command:
            seen[str(command)] = None
    return seen


def moment(value: object) -> str:
    """`2026-03-01 09:30 UTC` of an ISO 8601 time; anything else as it is."""
    found = _ISO.match(value) if isinstance(value, str) else None
    if found is None:
        return shown(value)
    day, minute, zone = found.groups(default="")
    return f"{day} {minute} {'UTC' if zone in ('Z', '+00:00') else zone}".rstrip()


def pairs(values: Meta) -> list[tuple[str, str]]:
    """Names and values as text, nested values as JSON."""
    return [(key, shown(value)) for key, value in values.items()]


def shown(value: object) -> str:
    """A setting's value as a reader expects it, never a megabyte."""
    if value is None or value == "":
        return MISSING
    if isinstance(value, str):
        return shorten(value, _LONGEST_VALUE)
    return shorten(json.dumps(value, ensure_ascii=False, default=str), _LONGEST_VALUE)
