"""What a method is: its loss, what it reads, what it learns, and its options.

The options are the keyword-only arguments of the method's function, on the command line, in a
recipe and in Python alike.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from suffrage.core.errors import SettingsError, nearest
from suffrage.objectives.options import check_option

View = Literal[
    "demonstrations",
    "pairs",
    "labels",
    "rankings",
    "ratings",
    "votes",
    "comparisons",
    "classes",
    "prompts",
]


@dataclass(frozen=True)
class Objective:
    """A way of learning: its loss, what it reads from a group, and where it comes from.

    reference: whether it is held near the model it started from.
    whole_batch: its loss couples the groups of a batch, so that all of it is needed at once.
    mismatched: it also reads how likely each group's prompt makes an answer to another prompt.
    """

    name: str
    summary: str
    function: Callable[..., Any]
    view: View
    paper: str
    learns: Literal["language", "reward"] = "language"
    reference: bool = False
    whole_batch: bool = False
    mismatched: bool = False

    def options(self) -> dict[str, Any]:
        """The options and their defaults."""
        return {p.name: p.default for p in self._keywords()}

    def choices(self, name: str) -> tuple[str, ...]:
        """The words an option can be; none where it is a number."""
        kinds = get_type_hints(self.function)
        return tuple(get_args(kinds[name])) if get_origin(kinds.get(name)) is Literal else ()

    def check(self, given: dict[str, Any]) -> dict[str, Any]:
        """The defaults with what was given; `SettingsError` for a wrong name or value."""
        options = self.options()
        for name, value in given.items():
            if name not in options:
                raise SettingsError(f"{self.name} has no option {name!r}; {nearest(name, options)}")
            options[name] = check_option(self.name, name, value, options[name], self.choices(name))
        return options

    def _keywords(self) -> list[inspect.Parameter]:
        found = inspect.signature(self.function).parameters.values()
        return [p for p in found if p.kind is p.KEYWORD_ONLY]
