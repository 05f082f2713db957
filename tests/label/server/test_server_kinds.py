"""Reading the form of each kind, and filling it again from a vote."""

from __future__ import annotations

import pytest

from suffrage.core.records import Judgment
from suffrage.label.server.forms import draft_of, seconds_of, skip_reason
from suffrage.label.server.kinds import KINDS, FormError, Parsed

SHOWN = ("w", "x", "y", "z")


def parse(kind: str, shown: tuple[str, ...] = SHOWN, **form: str) -> Parsed:
    named = {name.replace("_", "-"): value for name, value in form.items()}
    return KINDS[kind].parse(named, shown)


def key_of(kind: str, shown: tuple[str, ...] = SHOWN, **form: str) -> str:
    with pytest.raises(FormError) as caught:
        parse(kind, shown, **form)
    return caught.value.key


def test_a_pair_names_the_first_and_second_shown() -> None:
    assert parse("pair", ("x", "y"), choice="1", strength="3") == Parsed("a", 3)
    assert parse("pair", ("x", "y"), choice="2") == Parsed("b", None)


@pytest.mark.parametrize("choice", ["tie", "both_bad"])
def test_no_side_has_no_strength(choice: str) -> None:
    assert parse("pair", ("x", "y"), choice=choice, strength="4") == Parsed(choice, None)


@pytest.mark.parametrize("choice", ["", "0", "3", "a", "x", "１"])
def test_other_choices_of_a_pair_are_refused(choice: str) -> None:
    assert key_of("pair", ("x", "y"), choice=choice) == "pair.missing"


@pytest.mark.parametrize("strength", ["0", "5", "x", "3.0"])
def test_other_strengths_are_refused(strength: str) -> None:
    assert key_of("pair", ("x", "y"), choice="1", strength=strength) == "error.422"


def test_equal_places_are_ties_and_gaps_do_not_matter() -> None:
    given = parse("ranking", place_1="4", place_2="1", place_3="4", place_4="2")
    assert given.value == (("x",), ("z",), ("w", "y"))


def test_an_order_that_nobody_touched_is_asked_about() -> None:
    assert key_of("ranking") == "ranking.unchanged"
    assert parse("ranking", confirmed="1").value == (("w",), ("x",), ("y",), ("z",))


def test_the_order_shown_given_place_by_place_needs_no_question() -> None:
    given = parse("ranking", place_1="1", place_2="2", place_3="3", place_4="4")
    assert given.value == (("w",), ("x",), ("y",), ("z",))


def test_every_answer_needs_a_place_even_when_confirmed() -> None:
    with pytest.raises(FormError) as caught:
        parse("ranking", place_2="1", confirmed="1")
    assert caught.value.key == "ranking.missing"
    assert caught.value.values_of == {"n": 3}
    assert caught.value.field == "place-1"


@pytest.mark.parametrize("place", ["0", "5", "-1", "1.0", "一"])
def test_places_outside_the_list_are_refused(place: str) -> None:
    assert key_of("ranking", place_1=place, place_2="1") == "error.422"


@pytest.mark.parametrize(
    ("kind", "choice", "value"),
    [("rating", "7", 7), ("rating", "1", 1), ("grade", "C", "C"), ("thumb", "down", "down")],
)
def test_one_answer_is_given_one_value(kind: str, choice: str, value: str | int) -> None:
    assert parse(kind, ("x",), choice=choice) == Parsed(value)


@pytest.mark.parametrize(
    ("kind", "choice"), [("rating", "8"), ("rating", "4.0"), ("grade", "E"), ("thumb", "")]
)
def test_values_off_the_scale_are_refused(kind: str, choice: str) -> None:
    assert key_of(kind, ("x",), choice=choice) == f"{kind}.missing"


def test_a_demonstration_keeps_its_lines() -> None:
    assert parse("demonstration", (), answer="One\r\ntwo ").value == "One\ntwo "


@pytest.mark.parametrize(
    ("answer", "key"),
    [(" \n", "demonstration.missing"), ("a\x00b", "error.control"), ("x" * 20_001, "error.long")],
)
def test_a_demonstration_that_cannot_be_kept_is_refused(answer: str, key: str) -> None:
    assert key_of("demonstration", (), answer=answer) == key


@pytest.mark.parametrize(
    ("kind", "shown", "form"),
    [
        ("pair", ("x", "y"), {"choice": "2", "strength": "3"}),
        ("pair", ("x", "y"), {"choice": "both_bad"}),
        ("ranking", SHOWN, {"place-1": "3", "place-2": "1", "place-3": "3", "place-4": "2"}),
        ("rating", ("x",), {"choice": "6"}),
        ("grade", ("x",), {"choice": "B"}),
        ("thumb", ("x",), {"choice": "up"}),
        ("demonstration", (), {"answer": "Words"}),
    ],
)
def test_filling_a_form_is_the_inverse_of_reading_it(
    kind: str, shown: tuple[str, ...], form: dict[str, str]
) -> None:
    row = KINDS[kind]
    parsed = row.parse(form, shown)
    judgment = Judgment(
        id="j",
        prompt_id="p",
        rater="Mei",
        kind=row.name,
        value=parsed.value,
        strength=parsed.strength,
        completions=shown,
    )
    assert row.fill(judgment, shown) == form


@pytest.mark.parametrize(
    ("form", "seconds"),
    [
        ({"seconds": "12.34"}, 12.3),
        ({"seconds": "-5"}, 0.0),
        ({"seconds": "1e300"}, 86400.0),
        ({"seconds": "nan", "opened": "970"}, 30.0),
        ({"seconds": "", "opened": "970"}, 30.0),
        ({"seconds": "", "opened": "2000"}, 0.0),
        ({"seconds": "soon", "opened": "inf"}, 0.0),
        ({}, 0.0),
    ],
)
def test_active_time_is_the_pages_else_since_it_was_opened(
    form: dict[str, str], seconds: float
) -> None:
    assert seconds_of(form, now=1000.0) == seconds


def test_a_skip_says_why() -> None:
    assert skip_reason({"why": "broken", "more": " empty "}, ("broken",)) == "broken: empty"
    assert skip_reason({"why": "broken"}, ("broken",)) == "broken"
    with pytest.raises(FormError):
        skip_reason({"why": "else"}, ("broken",))


def test_a_draft_keeps_the_fields_of_the_vote_alone() -> None:
    form = {"choice": "1", "place-12": "3", "place-x": "1", "token": "t", "client_id": "c"}
    assert draft_of(form) == {"choice": "1", "place-12": "3"}
