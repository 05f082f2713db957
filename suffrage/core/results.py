"""What the measuring verbs write and the report reads: figures with their intervals.

These records are the whole contract between those who measure and those who show: a result is a
JSON file whose `"result"` field names the record, so a hand-written file serves as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from suffrage.core.errors import DataError, nearest
from suffrage.core.files import read_json, write_json
from suffrage.core.records import Json, Meta, Record, RecordError

Said = str | dict[str, str]  # a text for people: one string, or one a language ("en", "zh")


def in_language(text: Json, lang: str) -> Json:
    """The text of one language of a `Said`; where it lacks that, English, else the first it has.

    Anything else is returned as it is, so that a hand-written file may hold what it likes.
    """
    if not isinstance(text, dict) or not text:
        return text
    if not all(isinstance(value, str) for value in text.values()):
        return text
    return text.get(lang, text.get("en", next(iter(text.values()))))


class Estimate(Record):
    """A figure and the interval that covers it with probability `level`.

    `value` is None where the figure is undefined (said in `note`), e.g. alpha when only one value
    was ever given.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    n: int = 0  # how many units it rests on
    unit: str = ""  # what was resampled or counted: "prompts", "pairs"
    note: str = ""


class RaterSummary(Record):
    """One rater: how often the others' consensus agrees with them, and whether they are odd."""

    rater: str
    judgments: int
    reliability: Estimate  # share of pairs ordered as the other raters' majority orders them
    first_shown: Estimate  # share of pairs won by the completion shown first
    odd: Literal["", "careless", "reversed", "side"] = ""
    evidence: str = ""  # one sentence, for people


class RatersResult(Record):
    """How far the raters agree and who does not."""

    result: Literal["raters"] = "raters"
    alpha: Estimate
    alpha_level: Literal["nominal", "ordinal", "interval"]
    pair_agreement: Estimate  # two raters, one pair of completions: how often the same choice
    prompts: int
    judgments: int
    raters: tuple[RaterSummary, ...]
    coefficients: dict[str, Estimate] = Field(default_factory=dict)  # others that fields report


Method = Literal[
    "bradley-terry", "davidson", "plackett-luce", "borda", "copeland", "ranked-pairs", "win-rate"
]


class RankedItem(Record):
    """One line of a leaderboard."""

    item: str
    place: int
    places: tuple[int, int]  # the middle 95 % of its places over the bootstrap
    score: Estimate  # what it is, the ranking's method says
    win_rate: Estimate  # share of its comparisons won, ties half
    comparisons: int


class Ranking(Record):
    """A leaderboard of one group of raters, or of all."""

    group: str = ""
    method: Method
    comparisons: int
    prompts: int
    raters: int
    items: tuple[RankedItem, ...]  # best first
    first_shown: Estimate | None = None  # chance that the one shown first wins between equals
    ties: Estimate | None = None  # Davidson's nu / (2 + nu): chance that two equals tie
    note: str = ""


class Choice(Record):
    """One item for all groups, by one rule, and how sure the choice is."""

    rule: Literal["mean", "maxmin"]
    item: str
    share: float  # of the bootstrap rounds that choose it
    worth: dict[str, float]  # group -> chance that it prefers the item to another at random


class Camp(Record):
    """Raters who agree among themselves, as a mixture of Bradley-Terry models finds them."""

    name: str
    raters: dict[str, float]  # those likeliest in this camp, and how likely


class RankingResult(Record):
    """A leaderboard for each group, and the choices for all."""

    result: Literal["ranking"] = "ranking"
    by: str = ""  # what the groups were split by
    rankings: tuple[Ranking, ...]
    choices: tuple[Choice, ...] = ()
    camps: tuple[Camp, ...] = ()
    camp_gains: dict[int, Estimate] = Field(default_factory=dict)  # in predicting votes kept back
    mixture: dict[str, float] = Field(default_factory=dict)  # the fairest lottery: item -> share
    mixture_worth: float | None = None  # to the group that likes it least


class CalibrationBin(Record):
    """Pairs whose predicted probability lies in one bin, and how often it came true."""

    predicted: float
    observed: Estimate


class RewardResult(Record):
    """How well a reward model orders completions it was not trained on."""

    result: Literal["reward"] = "reward"
    model: str
    against: Said  # "the raters' votes", "the simulated raters' true utility"
    accuracy: Estimate  # share of pairs ordered right; ties count half
    calibration: tuple[CalibrationBin, ...] = ()
    # What the bins are measured against, where not `against`: a model that learned from votes
    # forecasts votes, and against a truth without their noise it would look far too modest.
    calibrated_against: Said = ""


class ModelStance(Record):
    """Which sides one model's answers take."""

    model: str
    shares: dict[str, Estimate]  # stance -> share of answers
    well_formed: Estimate | None = None
    prompts: int
    samples: int  # answers a prompt


class StanceResult(Record):
    """The stance of several models on the same held-out prompts."""

    result: Literal["stance"] = "stance"
    question: str  # what "support" supports
    models: tuple[ModelStance, ...]


class Answer(Record):
    """One model's answer, shown beside the others'."""

    model: str
    text: str
    stance: str = ""


class Comparison(Record):
    """One prompt with the answers of several models."""

    prompt: str
    answers: tuple[Answer, ...]


class ComparisonResult(Record):
    """Completions side by side."""

    result: Literal["comparison"] = "comparison"
    rows: tuple[Comparison, ...]


class SummaryResult(Record):
    """What a whole study asked, did and found: the report's first words and last table."""

    result: Literal["summary"] = "summary"
    title: Said
    question: Said
    stages: tuple[Meta, ...] = ()  # {"name", "what", "seconds", "figure", "reused"}, texts `Said`
    settings: Meta = Field(default_factory=dict)


Result = (
    RatersResult | RankingResult | RewardResult | StanceResult | ComparisonResult | SummaryResult
)
RESULTS: dict[str, type[Result]] = {
    "raters": RatersResult,
    "ranking": RankingResult,
    "reward": RewardResult,
    "stance": StanceResult,
    "comparison": ComparisonResult,
    "summary": SummaryResult,
}


def write_result(path: Path, result: Result) -> None:
    """Write a result file."""
    write_json(path, {"result": result.result, **result.to_json()})


def read_result(path: Path) -> Result:
    """Read a result file; `DataError` when it holds something else."""
    value = read_json(path)
    kind = value.get("result") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in RESULTS:
        raise DataError(
            f"is no result file (result: {kind!r}); {nearest(str(kind), RESULTS)}", path
        )
    try:
        return RESULTS[kind].from_json(value)
    except RecordError as error:
        raise DataError(f"{error}.", path) from error
