"""The kinds of judgment: one row each, with its template, how a form is read, and its level.

A page knows answers by their place on the screen, 1 to K: an answer's id may be a model's name. To
add a kind, write a template, a function that reads its fields, one that fills them, and a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from suffrage.core.records import GRADES, RATINGS, THUMBS, Judgment, JudgmentKind
from suffrage.stats.raters import LEVELS, KindLevel

Form = Mapping[str, str]
Value = str | int | tuple[tuple[str, ...], ...]
LONGEST_ANSWER = 20_000  # characters of a demonstration, which a form's limit of bytes holds


class FormError(ValueError):
    """A vote that lacks something: the catalogue's key of the sentence that says what."""

    def __init__(self, key: str, field: str = "", **values: object) -> None:
        super().__init__(key)
        self.key, self.field, self.values_of = key, field, values


@dataclass(frozen=True)
class Parsed:
    """What a form says."""

    value: Value
    strength: int | None = None


Shown = Sequence[str]  # the ids of the completions in the order on the screen


@dataclass(frozen=True)
class Kind:
    """`level` of measurement picks the coefficient of agreement; None where there is none."""

    name: JudgmentKind
    parse: Callable[[Form, Shown], Parsed]
    fill: Callable[[Judgment, Shown], dict[str, str]]
    level: KindLevel | None

    @property
    def template(self) -> str:
        return f"kinds/{self.name}.html"


def letters(count: int) -> list[str]:
    """Names of the answers of a pair on the screen: A, B."""
    return list(ascii_uppercase[:count])


def _parse_pair(form: Form, shown: Shown) -> Parsed:
    choice = form.get("choice", "")
    if choice in ("tie", "both_bad"):
        return Parsed(choice)
    if choice not in ("1", "2"):
        raise FormError("pair.missing", "choice")
    strength = form.get("strength", "")
    if strength and strength not in ("1", "2", "3", "4"):
        raise FormError("error.422", "strength")
    return Parsed("a" if choice == "1" else "b", int(strength) if strength else None)


def _fill_pair(judgment: Judgment, shown: Shown) -> dict[str, str]:
    if judgment.value in ("tie", "both_bad"):
        return {"choice": str(judgment.value)}
    chosen = judgment.completions[0 if judgment.value == "a" else 1]
    filled = {"choice": str(list(shown).index(chosen) + 1)}
    return filled | ({"strength": str(judgment.strength)} if judgment.strength else {})


def _parse_ranking(form: Form, shown: Shown) -> Parsed:
    """Equal places are ties; places need not follow on each other."""
    total = len(shown)
    places = [form.get(f"place-{number}", "") for number in range(1, total + 1)]
    if not any(places):
        if form.get("confirmed") != "1":
            raise FormError("ranking.unchanged", "confirmed")
        return Parsed(tuple((name,) for name in shown))
    known = {str(number) for number in range(1, total + 1)}
    if any(place and place not in known for place in places):
        raise FormError("error.422", "place-1")
    if not all(places):
        first = places.index("") + 1
        raise FormError("ranking.missing", f"place-{first}", n=places.count(""))
    tied: dict[int, list[str]] = {}
    for place, name in zip(places, shown, strict=True):
        tied.setdefault(int(place), []).append(name)
    return Parsed(tuple(tuple(tied[place]) for place in sorted(tied)))


def _fill_ranking(judgment: Judgment, shown: Shown) -> dict[str, str]:
    filled, place = {}, 1
    for tied in judgment.value if isinstance(judgment.value, tuple) else ():
        for name in tied:
            filled[f"place-{list(shown).index(name) + 1}"] = str(place)
        place += len(tied)
    return filled


def _one_of(allowed: Sequence[str | int], missing: str) -> Callable[[Form, Shown], Parsed]:
    values = {str(value): value for value in allowed}

    def parse(form: Form, shown: Shown) -> Parsed:
        choice = form.get("choice", "")
        if choice not in values:
            raise FormError(missing, "choice")
        return Parsed(values[choice])

    return parse


def _fill_choice(judgment: Judgment, shown: Shown) -> dict[str, str]:
    return {"choice": str(judgment.value)}


def _parse_demonstration(form: Form, shown: Shown) -> Parsed:
    text = form.get("answer", "").replace("\r\n", "\n")
    if not text.strip():
        raise FormError("demonstration.missing", "answer")
    return Parsed(checked_text(text, "answer", LONGEST_ANSWER))


def _fill_demonstration(judgment: Judgment, shown: Shown) -> dict[str, str]:
    return {"answer": str(judgment.value)}


def checked_text(text: str, field: str, longest: int) -> str:
    """The text, refused where it is too long or cannot be stored as it is."""
    if len(text) > longest:
        raise FormError("error.long", field, n=longest)
    if "\x00" in text:
        raise FormError("error.control", field)
    return text


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("pair", _parse_pair, _fill_pair, LEVELS["pair"]),
        Kind("ranking", _parse_ranking, _fill_ranking, LEVELS["ranking"]),
        Kind("rating", _one_of(RATINGS, "rating.missing"), _fill_choice, LEVELS["rating"]),
        Kind("grade", _one_of(GRADES, "grade.missing"), _fill_choice, LEVELS["grade"]),
        Kind("thumb", _one_of(THUMBS, "thumb.missing"), _fill_choice, LEVELS["thumb"]),
        Kind("demonstration", _parse_demonstration, _fill_demonstration, None),
    )
}
