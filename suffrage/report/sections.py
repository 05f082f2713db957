"""The page's sections, in order: to add one, write a collect function, a template and one row.

The title is `section.NAME.title` in the catalogues, the template `templates/NAME.html`. A section
whose collect function returns None is left out of the page and of its table of contents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from suffrage.report.collect import (
    answers,
    data,
    finding,
    ranking,
    raters,
    reward,
    reward_kl,
    runs,
    samples,
    stance,
    training,
)
from suffrage.report.inputs import Inputs
from suffrage.report.words import Words

Collect = Callable[[Inputs, Words], Mapping[str, object] | None]


@dataclass(frozen=True)
class Section:
    """One row: the section's name (also its anchor) and where its content comes from."""

    name: str
    collect: Collect

    @property
    def template(self) -> str:
        return f"{self.name}.html"

    def title(self, words: Words) -> str:
        return words(f"section.{self.name}.title")


SECTIONS = (
    Section("finding", finding.collect),
    Section("data", data.collect),
    Section("raters", raters.collect),
    Section("ranking", ranking.collect),
    Section("reward", reward.collect),
    Section("training", training.collect),
    Section("reward_kl", reward_kl.collect),
    Section("samples", samples.collect),
    Section("stance", stance.collect),
    Section("answers", answers.collect),
    Section("runs", runs.collect),
)
