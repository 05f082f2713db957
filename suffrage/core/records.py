"""The records everything reads and writes, and their JSON.

A prompt with its completions and what people said of them is one `Group`. A `Judgment` is what one
rater said; a `Preference` is the consensus that training reads. Records are immutable,
`to_json` and `from_json` are exact inverses, and a value that lacks a record's form is refused
with a `RecordError` of one sentence.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

Json = Any  # whatever the json module reads and writes
Meta = dict[str, Json]

JudgmentKind = Literal["pair", "ranking", "rating", "grade", "thumb", "demonstration"]
RaterKind = Literal["human", "llm", "simulated", "rule"]
PAIR_CHOICES = ("a", "b", "tie", "both_bad")
GRADES = ("A", "B", "C", "D")
THUMBS = ("up", "down")
RATINGS = (1, 2, 3, 4, 5, 6, 7)


class RecordError(ValueError):
    """A value without its record's form; a reader adds the file and the row."""


def short_id(*parts: str) -> str:
    """A stable id made from the content: 12 hexadecimal digits."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:12]


class Record(BaseModel):
    """Base of every record: immutable, no unknown fields, one-sentence errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def to_json(self) -> dict[str, Json]:
        """Fields that hold their default are left out; `from_json` puts them back."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @classmethod
    def from_json(cls, value: Json) -> Self:
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise RecordError(_first_problem(cls.__name__, error)) from error


def _first_problem(name: str, error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    message = problem["msg"].removeprefix("Value error, ")
    return f"{name}{'.' + place if place else ''}: {message[:1].lower()}{message[1:]}"


class Message(Record):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str


class Prompt(Record):
    """What the model is asked: plain text, or the messages of a conversation."""

    id: str
    content: str | tuple[Message, ...]
    meta: Meta = Field(default_factory=dict)

    @property
    def text(self) -> str:
        """The prompt as plain text, for people and for statistics; never for the model."""
        if isinstance(self.content, str):
            return self.content
        if len(self.content) == 1:
            return self.content[0].content
        return "\n\n".join(f"{turn.role}: {turn.content}" for turn in self.content)


class Completion(Record):
    """One answer to a prompt and where it came from."""

    id: str
    prompt_id: str
    text: str
    source: str = ""  # a model's name or path, or "person:NAME"
    seed: int | None = None
    settings: Meta = Field(default_factory=dict)  # how it was sampled


class Judgment(Record):
    """What one rater said of the completions of one prompt.

    `value` depends on `kind`:

    | kind | `completions` | `value` |
    |---|---|---|
    | pair | the two judged, a then b | a, b, tie or both_bad; how much better in `strength` |
    | ranking | all judged | groups of completion ids, best first; one group holds ties |
    | rating | the one judged | 1 to 7 |
    | grade | the one judged | A to D |
    | thumb | the one judged | up or down |
    | demonstration | none | the answer the rater wrote |

    Ids, never positions on the screen, name what was chosen; `shown` keeps the order on the screen.
    """

    id: str
    prompt_id: str
    rater: str
    kind: JudgmentKind
    value: str | int | tuple[tuple[str, ...], ...]
    completions: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    strength: int | None = Field(default=None, ge=1, le=4)
    rater_kind: RaterKind = "human"
    criterion: str = "overall"
    seconds: float | None = Field(default=None, ge=0)
    created: str | None = None  # ISO 8601
    reason: str = ""
    supersedes: str | None = None  # the id of the judgment this one corrects

    @field_validator("value", mode="before")
    @classmethod
    def _no_boolean(cls, value: Json) -> Json:
        if isinstance(value, bool):  # pydantic would take true for 1
            raise ValueError(f"found {value}, which no kind of judgment has")
        return value

    @model_validator(mode="after")
    def _value_fits_kind(self) -> Self:
        _CHECKS[self.kind](self)
        if self.shown not in ((), self.completions) and Counter(self.shown) != Counter(
            self.completions
        ):
            raise ValueError("shown holds other completions than were judged")
        # nobody asks which fields were given: one set for all, as a million take 0.7 GB
        object.__setattr__(self, "__pydantic_fields_set__", _ALL_FIELDS)
        return self


_ALL_FIELDS = set(Judgment.model_fields)


def _one_of(allowed: tuple[str | int, ...], judged: int) -> Any:
    def check(judgment: Judgment) -> None:
        if judgment.value not in allowed:
            raise ValueError(f"a {judgment.kind} is one of {allowed}, found {judgment.value!r}")
        if len(set(judgment.completions)) != judged or len(judgment.completions) != judged:
            raise ValueError(f"a {judgment.kind} judges {judged} different completions")

    return check


def _check_ranking(judgment: Judgment) -> None:
    if not isinstance(judgment.value, tuple):
        raise ValueError("a ranking is a list of groups of completion ids, best first")
    ranked = [name for tied in judgment.value for name in tied]
    if len(ranked) < 2 or Counter(ranked) != Counter(set(judgment.completions)):
        raise ValueError("a ranking names each judged completion once, and at least two")


def _check_demonstration(judgment: Judgment) -> None:
    if not isinstance(judgment.value, str) or not judgment.value.strip():
        raise ValueError("a demonstration is a text that is not empty")


_CHECKS: dict[str, Any] = {
    "pair": _one_of(PAIR_CHOICES, 2),
    "ranking": _check_ranking,
    "rating": _one_of(RATINGS, 1),
    "grade": _one_of(GRADES, 1),
    "thumb": _one_of(THUMBS, 1),
    "demonstration": _check_demonstration,
}


class SoftPair(Record):
    """`first` is preferred to `second` (indices into a group) with this probability.

    strength: by how much, from 0 (hardly) to 1 (by far); None where nobody said.
    """

    first: int = Field(ge=0)
    second: int = Field(ge=0)
    probability: float = Field(default=1.0, ge=0, le=1)
    weight: float = Field(default=1.0, ge=0)
    strength: float | None = Field(default=None, ge=0, le=1)

    @model_validator(mode="after")
    def _two_completions(self) -> Self:
        if self.first == self.second:
            raise ValueError("a pair compares a completion with itself")
        return self


Share = Annotated[float, Field(ge=0, le=1)]


class Preference(Record):
    """The consensus over a group, in whichever views its judgments allow.

    A label is the share of the votes that find a completion desirable; true is 1 and false is 0.
    `weight` is how much the prompt counts in training, `raters` how much each rater counted in the
    consensus: 1 for those not named.
    """

    pairs: tuple[SoftPair, ...] = ()
    ranks: tuple[float, ...] | None = None  # one a completion, 1 is best, equal means tied
    scores: tuple[float, ...] | None = None  # one a completion, higher is better
    labels: tuple[Share | None, ...] | None = None  # one a completion: desirable, or unlabelled
    demonstrations: tuple[int, ...] | None = None  # completions to imitate
    weight: float = Field(default=1.0, ge=0)
    raters: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)


class Group(Record):
    """A prompt, its completions, what each rater said, and the consensus."""

    prompt: Prompt
    completions: tuple[Completion, ...] = ()
    judgments: tuple[Judgment, ...] = ()
    preference: Preference | None = None

    @model_validator(mode="after")
    def _parts_belong_together(self) -> Self:
        names = Counter(completion.id for completion in self.completions)
        if any(count > 1 for count in names.values()):
            raise ValueError("two completions have the same id")
        parts: tuple[Completion | Judgment, ...] = (*self.completions, *self.judgments)
        for part in parts:
            if part.prompt_id != self.prompt.id:
                raise ValueError(f"{part.id!r} belongs to another prompt, {part.prompt_id!r}")
        for judgment in self.judgments:
            if not set(judgment.completions) <= set(names):
                raise ValueError(f"judgment {judgment.id!r} names a completion not in the group")
        if self.preference is not None:
            _check_preference(self.preference, len(self.completions))
        return self


def _check_preference(preference: Preference, size: int) -> None:
    used = [index for pair in preference.pairs for index in (pair.first, pair.second)]
    used += preference.demonstrations or ()
    if any(index >= size for index in used):
        raise ValueError(f"the preference names completion {max(used)} of {size} (from 0)")
    for view in ("ranks", "scores", "labels"):
        values = getattr(preference, view)
        if values is not None and len(values) != size:
            raise ValueError(f"{len(values)} {view} for {size} completions")
