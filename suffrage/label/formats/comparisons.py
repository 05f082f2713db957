"""Rows of comparisons: one rater's vote on two completions each, as `suffrage rank` reads them."""

from __future__ import annotations

from suffrage.core.records import Completion, Group, Prompt
from suffrage.label.formats.containers import Container, Row
from suffrage.label.formats.made import Made, UnfitError, keep_same
from suffrage.stats.comparison_rows import entry_of_row
from suffrage.stats.votes import Votes, pair_votes


def comparison_rows(group: Group, container: Container) -> Made:
    """One rater's vote on two completions a row, as `suffrage rank` reads it.

    `a` is the one shown first where that is known (`order` says so). `a` and `b` are the
    completions' sources where these tell them apart, else their ids.
    """
    votes = pair_votes(group.judgments)
    if not votes.raters:
        raise UnfitError("holds no vote of a known rater on two completions")
    known = {one.id: one for one in group.completions}
    made = Made([], [])
    for place in range(len(votes.rater_V)):
        row = _comparison(group.prompt, known, votes, place)
        seen = container.reading(row)
        try:
            result = entry_of_row(seen).matches[0].result
        except ValueError as error:
            made.left_out.append(str(error))
            continue
        expected = {row["a"]: 1.0, row["b"]: 0.0}.get(row["winner"], 0.5)
        keep_same(made, row, seen, result == expected)
    return made


def _comparison(prompt: Prompt, known: dict[str, Completion], votes: Votes, place: int) -> Row:
    _, criterion, *names = votes.items[votes.item_V[place]]
    first_shown, choice = votes.first_shown_V[place], float(votes.choice_V[place])
    if first_shown == 0:
        names, choice = names[::-1], 1 - choice
    one, other = (known[name] for name in names)
    told_apart = one.source.strip() and other.source.strip() and one.source != other.source
    a, b = (one.source, other.source) if told_apart else (one.id, other.id)
    tie = next(word for word in ("tie", "draw", "0.5") if word not in (a, b))
    return {
        "prompt": prompt.text,
        "a": a,
        "b": b,
        "winner": tie if choice == 0.5 else a if choice > 0.5 else b,
        "rater": votes.raters[votes.rater_V[place]],
        "criterion": criterion,
        "order": "unknown" if first_shown not in (0, 1) else "shown",
        "prompt_id": prompt.id,
        "a_id": one.id,
        "b_id": other.id,
        "a_text": one.text,
        "b_text": other.text,
    }
