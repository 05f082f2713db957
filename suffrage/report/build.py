"""From paths to the page: find the inputs, collect each section, render, write whole."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from suffrage.core.errors import RunError
from suffrage.core.files import write_text
from suffrage.core.results import SummaryResult
from suffrage.report import text
from suffrage.report.inputs import Inputs, find_inputs
from suffrage.report.sections import SECTIONS
from suffrage.report.words import Words, load_words

# No script, no request of any kind, whatever a model's answer holds.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def build_report(paths: Sequence[Path], out: Path, *, lang: Literal["en", "zh"] = "en") -> Path:
    """Write one self-contained HTML page about everything found under `paths`.

    `paths`: run directories, result files, group files, `responses.json`, or folders that hold any
    of these. The same inputs give the same bytes. Raises `DataError` when nothing can be shown or
    a known file is broken, `RunError` when `out` cannot be written, `SettingsError` for a language
    there is no catalogue of.
    """
    out = Path(out)
    words = load_words(lang)
    if out.is_dir():
        raise RunError(f"{out}: is a folder; name the page in it, such as {out / 'report.html'}.")
    page = render(find_inputs([Path(path) for path in paths], out), words)
    write_text(out, page)
    return out


def render(inputs: Inputs, words: Words) -> str:
    """The page as a string."""
    environment = _environment(words)
    sections = []
    for section in SECTIONS:
        data = section.collect(inputs, words)
        if data is not None:
            body = environment.get_template(section.template).render(data=data)
            sections.append((section.name, section.title(words), Markup(body)))  # escaped inside
    return environment.get_template("page.html").render(
        sections=sections,
        summary=next(iter(inputs.of(SummaryResult)), None),
        style=Markup(_asset("style.css")),
        policy=POLICY,
    )


def _environment(words: Words) -> Environment:
    environment = Environment(
        loader=PackageLoader("suffrage.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_safe,
    )
    environment.globals.update(t=words, words=words)
    environment.filters.update(
        estimate=text.estimate,
        duration=text.duration,
        shorten=text.shorten,
        short_name=text.short_name,
    )
    return environment


def _safe(value: object) -> object:
    """Every string the templates print passes here, so none can be forgotten."""
    return text.clean(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _asset(name: str) -> str:
    return (files("suffrage.report") / "templates" / name).read_text(encoding="utf-8")
