"""Several rewards on one trunk: which judgments are for which head of a reward model.

One head a criterion (helpful, honest, ...), a kind of rater, a group of raters who see things
alike, or each rater. The trunk learns from all judgments, each head from its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from suffrage.core.errors import DataError, SettingsError
from suffrage.core.files import read_json
from suffrage.core.records import Group, Judgment, Preference
from suffrage.stats.votes import latest

ONE, RATERS = "one", "raters"
OF_JUDGMENT: Mapping[str, Callable[[Judgment], str]] = {
    "criterion": lambda judgment: judgment.criterion,
    "rater-kind": lambda judgment: judgment.rater_kind,
    RATERS: lambda judgment: judgment.rater,
}


@dataclass(frozen=True)
class Heads:
    """The heads' names, and the name of the head that a judgment is for (another: for none).

    members: the group of each rater, where these were found and not given; note: how.
    alike: whether the heads start alike and stay near each other: see `suffrage.train.personal`.
    """

    names: tuple[str, ...]
    of: Callable[[Judgment], str]
    members: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    alike: bool = False

    def split(self, group: Group) -> list[Group]:
        """For each head the group with the judgments that are for it, still without consensus."""
        judgments = latest(group.judgments)
        return [
            group.model_copy(
                update={
                    "judgments": tuple(j for j in judgments if self.of(j) == name),
                    "preference": _counted(group.preference),
                }
            )
            for name in self.names
        ]

    def judged(self, groups: Iterable[Group], head: int) -> Iterator[Group]:
        """What the groups hold for one head, those left out that hold nothing."""
        own = (self.split(group)[head] for group in groups)
        return (group for group in own if group.judgments)


def _counted(preference: Preference | None) -> Preference | None:
    """Of a preference, how much the prompt and its raters count."""
    if preference is None:
        return None
    return Preference(weight=preference.weight, raters=preference.raters)


def find_heads(setting: str, groups: Sequence[Group]) -> Heads | None:
    """The heads asked for, None for one: by criterion, kind of rater, rater, or a file's groups.

    The file holds {rater: name of the group}; judgments of other raters are left out.
    `SettingsError` where the data has no two of them.
    """
    if setting == ONE:
        return None
    of = OF_JUDGMENT.get(setting) or _by_group(Path(setting))
    found = {of(judgment) for group in groups for judgment in group.judgments} - {""}
    if len(found) < 2:
        held = f"only {found.pop()!r}" if found else "none"
        raise SettingsError(
            f"--heads {setting} needs judgments for two heads or more, and the data has {held}; "
            "leave it out."
        )
    return Heads(tuple(sorted(found)), of, alike=setting == RATERS)


def _by_group(file: Path) -> Callable[[Judgment], str]:
    if not file.exists():
        known = ", ".join((ONE, *OF_JUDGMENT))
        raise SettingsError(
            f"--heads is {str(file)!r}; it must be one of {known}, or a JSON file of "
            "{rater: group}."
        )
    groups = read_json(file)
    texts = isinstance(groups, dict) and all(isinstance(name, str) for name in groups.values())
    if not texts:
        raise DataError("is no JSON object of {rater: group}; write it as one.", file)
    return lambda judgment: str(groups.get(judgment.rater, ""))
