"""What exports of annotation programs have in common: answers in named fields, and statements.

Such a file holds no types: which field is the prompt, which are the answers, and which answer a
statement is about is told by their names. Where the names do not tell, the statement is left out
and the report says so; nothing is guessed from the order of unrelated fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from suffrage.core.records import Completion, Group, Json, Judgment, Prompt, RecordError, short_id
from suffrage.data.readers.choices import Verdict, grade_in, verdict_in
from suffrage.data.readers.row import Content, Judged, RowError, kind_of, prompt_of, text

VIEWS = ("pairs", "ranks", "scores", "labels", "demonstrations")  # made of the judgments
PROMPT_FIELDS = ("prompt", "instruction", "question", "query", "input", "messages", "conversation")
_ANSWER = re.compile(
    r"(chosen|rejected|(?:model|assistant)?_?"
    r"(?:responses?|answers?|completions?|outputs?|repl(?:y|ies)|generations?|candidates?|summary|"
    r"text))[\W_]*(?:\d+|[a-h])?",
    re.IGNORECASE,
)
_REASON = re.compile(r"reason|rationale|comment|explanation|justification|feedback|why|note")
_WRITTEN = re.compile(r"ideal|demonstrat|rewrit|correct|improv|better|edit|revis|answer|response")
_GENERAL = re.compile(  # a word of a question that names no criterion
    r"best|better|choices?|compar\w*|grade|label|overall|pair\w*|pw|prefer\w*|quality|question|"
    r"rank\w*|rating|score|stars?|thumbs?|verdict|winner"
)


class Who(NamedTuple):
    """Who said it, and when."""

    annotation: str  # ids of judgments begin with it
    rater: str
    seconds: float | None = None
    created: str | None = None


@dataclass
class Sheet:
    """A prompt, its answers by field name, and what is said of them as it is read."""

    name: str | None
    prompt: Content
    answers: Mapping[str, str]
    judgments: list[Judgment] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)  # by annotation

    def __post_init__(self) -> None:
        words = self.prompt if isinstance(self.prompt, str) else repr(self.prompt)
        self.id = self.name or short_id(words)
        self.ids = {name: f"{self.id}-{place}" for place, name in enumerate(self.answers)}

    def skip(self, reason: str, times: int = 1) -> None:
        self.left_out += [reason] * times

    def rating(self, who: Who, question: str, value: Any, about: str = "") -> None:
        """How good one answer is: 1 to 7, as it stands."""
        place = self._about(question, about)
        if isinstance(value, float) and value.is_integer():  # as Parquet has it
            value = int(value)
        if place is None:
            self.skip(f"{question!r} does not say which answer it rates")
        elif type(value) is not int or not 1 <= value <= 7:
            found = value if type(value) in (int, float) else kind_of(value)
            self.skip(f"{question!r} is {found}, no rating from 1 to 7")
        else:
            self._add(who, question, "rating", value, (place,))

    def ranking(self, who: Who, question: str, groups: Sequence[Sequence[Any]]) -> None:
        """Answers by name, best first; those in one inner list tie."""
        found = [[self.find(name) for name in tied] for tied in groups]
        names = [name for tied in found for name in tied]
        if len(names) < 2 or None in names or len(set(names)) < len(names):
            self.skip(f"{question!r} does not rank two answers or more, each once")
            return
        order = tuple(tuple(self.ids[name] for name in tied if name) for tied in found if tied)
        self._add(who, question, "ranking", order, [name for name in names if name])

    def pair(self, who: Who, question: str, verdict: Verdict) -> None:
        """Left or right (0 or 1) of the first two answers, a tie, or both bad."""
        if len(self.answers) != 2:
            self.skip(f"{question!r} compares two answers, and there are {len(self.answers)}")
            return
        value = ("a", "b")[verdict] if isinstance(verdict, int) else verdict
        self._add(who, question, "pair", value, list(self.answers), shown=True)

    def choice(self, who: Who, question: str, value: str, about: str = "") -> bool:
        """A word that stands for a verdict on the answers, or for a thumb or grade of one."""
        alone = self._in_question(question) or (len(self.answers) == 1 and next(iter(self.answers)))
        if not alone and (verdict := self._verdict(value)) is not None:
            self._best(who, question, verdict)
            return True
        kind, said = grade_in(value)
        place = alone or (self.find(about) if about and kind == "thumb" else None)
        if kind is None or not place:
            return False
        self._add(who, question, kind, said, (place,))
        return True

    def written(self, who: Who, question: str, value: Any, sure: bool = True) -> bool:
        """A text: the reason for what else was said, or the answer the rater would give."""
        if not isinstance(value, str) or not value.strip():
            return True  # nothing was written
        if _REASON.search(question.lower()):
            before = self.reasons.get(who.annotation)
            self.reasons[who.annotation] = f"{before}\n{value}" if before else value
        elif _WRITTEN.search(question.lower()) and sure:
            self._add(who, question, "demonstration", value, ())
        else:
            return False
        return True

    def find(self, name: Any) -> str | None:
        """The answer of this name, or of this number or letter among the answers."""
        if isinstance(name, str) and name in self.answers:
            return name
        plain = {_plain(answer): answer for answer in self.answers}
        if (known := plain.get(_plain(str(name)))) is not None:
            return known
        last = re.search(r"(?:^|[\W_a-z])(\d+|(?<![a-z])[a-h])$", str(name).lower())
        if last is None:
            return None
        place = int(last[1]) - 1 if last[1].isdigit() else ord(last[1]) - ord("a")
        return list(self.answers)[place] if 0 <= place < len(self.answers) else None

    def judged(self) -> Judged:
        """The group; `RowError` when nothing was said that can be used."""
        if not self.judgments:
            said = "; ".join(dict.fromkeys(self.left_out)) or "nobody annotated it"
            raise RowError(f"holds no judgment ({said})")
        completions = tuple(
            Completion(id=self.ids[name], prompt_id=self.id, text=words)
            for name, words in self.answers.items()
        )
        group = {
            "prompt": Prompt(id=self.id, content=self.prompt),
            "completions": completions,
            "judgments": tuple(self._with_reason(one) for one in self.judgments),
        }
        try:
            return Judged(Group.from_json(group), tuple(self.left_out))
        except RecordError as error:
            raise RowError(str(error)) from None

    def _with_reason(self, judgment: Judgment) -> Judgment:
        reason = self.reasons.get(judgment.id.rpartition("/")[0], "")
        return judgment.model_copy(update={"reason": reason}) if reason else judgment

    def _add(
        self,
        who: Who,
        question: str,
        kind: str,
        value: Json,
        about: Sequence[str],
        shown: bool = False,
    ) -> None:
        names = tuple(self.ids[name] for name in about)
        judgment = {
            "id": f"{who.annotation}/{len(self.judgments)}",
            "prompt_id": self.id,
            "rater": who.rater,
            "kind": kind,
            "value": value,
            "completions": names,
            "shown": names if shown else (),
            "criterion": "overall" if kind == "demonstration" else self._criterion(question),
            "seconds": who.seconds,
            "created": who.created,
        }
        try:
            self.judgments.append(Judgment.from_json(judgment))
        except RecordError as error:
            self.skip(f"{question!r}: {error}")

    def _criterion(self, question: str) -> str:
        """The question without the answer's name; one that names no criterion is `overall`."""
        named = self._in_question(question)
        rest = question.lower().replace(named.lower(), "") if named else question.lower()
        rest = re.sub(r"[\W_]*\d*$", "", rest).strip(" _-.")
        words = re.split(r"[\W_\d]+", rest)
        return rest if any(word and not _GENERAL.fullmatch(word) for word in words) else "overall"

    def _about(self, question: str, about: str) -> str | None:
        if len(self.answers) == 1:
            return next(iter(self.answers))
        return self._in_question(question) or (self.find(about) if about else None)

    def _in_question(self, question: str) -> str | None:
        """The answer whose name, or whose number at the end, stands in the question."""
        inside = [name for name in self.answers if _plain(name) in _plain(question)]
        if inside:
            return max(inside, key=len)
        return self.find(question) if re.search(r"\d$", question) else None

    def _verdict(self, value: str) -> Verdict | None:
        if len(self.answers) < 2:
            return None
        if self.find(value) is not None:
            return list(self.answers).index(str(self.find(value)))
        return verdict_in(value)

    def _best(self, who: Who, question: str, verdict: Verdict) -> None:
        """The best of two is a pair; the best of more is a ranking in which the others tie."""
        names = list(self.answers)
        if len(names) == 2 or not isinstance(verdict, int):
            self.pair(who, question, verdict)
        else:
            rest = [name for place, name in enumerate(names) if place != verdict]
            self.ranking(who, question, [[names[verdict]], rest])


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def read_fields(name: str | None, fields: Mapping[str, Any]) -> Sheet:
    """The prompt and the answers among named fields; `RowError` where their names do not tell."""
    asked = next((one for one in PROMPT_FIELDS if fields.get(one)), None)
    listed = next((one for one in fields.values() if _is_items(one)), None)
    if listed is not None:
        answers = {str(one["id"]): _item_text(one) for one in listed}
    else:
        answers = {
            one: text(words, one)
            for one, words in fields.items()
            if one != asked and isinstance(words, str) and _ANSWER.fullmatch(one)
        }
    if asked is None:
        found = ", ".join(f"{one[:30]!a}" for one in list(fields)[:8]) or "none"
        raise RowError(f"has no field for the prompt ({', '.join(PROMPT_FIELDS)}; found {found})")
    return Sheet(name, prompt_of(fields[asked]), answers)


def _is_items(value: Any) -> bool:
    """Whether a field holds a list of answers, each with its id: Label Studio's `List`."""
    if not isinstance(value, list) or not value:
        return False
    ids = [one.get("id") for one in value if isinstance(one, dict)]
    named = len(set(map(str, ids))) == len(value) and None not in ids
    return named and not any("role" in one for one in value)


def _item_text(value: Mapping[str, Any]) -> str:
    words = next((value[one] for one in ("body", "text", "html", "title") if value.get(one)), None)
    return text(words, f"item {value['id']}")
