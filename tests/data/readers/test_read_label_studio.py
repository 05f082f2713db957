"""Label Studio's exports: who said what, and what is left out."""

from __future__ import annotations

import json

import pytest

from suffrage.core.errors import DataError
from suffrage.data.read import read_groups, read_prompts


def result(question: str, kind: str, value: object, about: str = "txt") -> dict[str, object]:
    return {
        "id": "Dx_aB9",
        "from_name": question,
        "to_name": about,
        "type": kind,
        "origin": "manual",
        "value": value,
    }


def annotation(number: int, by: object, *results: object, **more: object) -> dict[str, object]:
    return {
        "id": number,
        "completed_by": by,
        "result": list(results),
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2025-03-09T22:16:08.728353Z",
        "lead_time": 4.288,
        **more,
    }


def task(*annotations: object, **data: object) -> dict[str, object]:
    fields = {"prompt": "天空為什麼是藍的？", "text1": "Rayleigh.", "text2": "The sea."} | data
    return {"id": 81, "data": fields, "annotations": list(annotations), "predictions": []}


def left(by: object = 3, **more: object) -> dict[str, object]:
    return annotation(1, by, result("pw", "pairwise", {"selected": "left"}, "txt-1,txt-2"), **more)


def said(group):
    return [(j.rater, j.kind, j.value, j.completions, j.criterion) for j in group.judgments]


def test_a_pair_keeps_annotator_order_and_time(one_group):
    group = one_group(
        task(left(), annotation(2, 4, result("pw", "pairwise", {"selected": "right"})))
    )
    both = ("81-0", "81-1")
    assert said(group) == [
        ("3", "pair", "a", both, "overall"),
        ("4", "pair", "b", both, "overall"),
    ]
    first = group.judgments[0]
    assert (first.shown, first.seconds) == (both, 4.288)
    assert first.created == "2025-03-09T22:16:08.728353Z"
    assert [one.text for one in group.completions] == ["Rayleigh.", "The sea."]
    assert (group.prompt.id, group.prompt.content) == ("81", "天空為什麼是藍的？")


def test_cancelled_annotations_and_predictions_are_left_out_and_counted(jsonl):
    row = task(left(), left(4, was_cancelled=True), left(5, was_cancelled=True))
    groups, report = read_groups(jsonl(row | {"predictions": [{"model_version": "m"}]}))
    assert [one.rater for one in groups[0].judgments] == ["3"]
    assert report.format == "Label Studio"
    assert "2 left out: annotations that were cancelled" in report.notes
    assert "1 left out: predictions of models" in report.notes


@pytest.mark.parametrize(
    ("question", "kind", "value", "about", "expected"),
    [
        ("stars_text2", "rating", {"rating": 6}, "txt", ("rating", 6, (1,), "overall")),
        ("helpful", "rating", {"rating": 6}, "text1", ("rating", 6, (0,), "helpful")),
        (
            "quality",
            "choices",
            {"choices": ["B is better"]},
            "txt",
            ("pair", "b", (0, 1), "overall"),
        ),
        ("honest", "choices", {"choices": ["Tie"]}, "txt", ("pair", "tie", (0, 1), "honest")),
        ("best", "choices", {"choices": ["text2"]}, "txt", ("pair", "b", (0, 1), "overall")),
        (
            "pw",
            "choices",
            {"choices": ["Both bad"]},
            "txt",
            ("pair", "both_bad", (0, 1), "overall"),
        ),
        ("grade_text1", "choices", {"choices": ["C"]}, "txt", ("grade", "C", (0,), "overall")),
        ("ok", "choices", {"choices": ["Good"]}, "text2", ("thumb", "up", (1,), "ok")),
        (
            "ideal",
            "textarea",
            {"text": ["Light", "scatters."]},
            "txt",
            ("demonstration", "Light\nscatters.", (), "overall"),
        ),
    ],
)
def test_each_kind_of_result(one_group, question, kind, value, about, expected):
    (judgment,) = one_group(task(annotation(1, 3, result(question, kind, value, about)))).judgments
    places = tuple(int(name[-1]) for name in judgment.completions)
    assert (judgment.kind, judgment.value, places, judgment.criterion) == expected


def test_a_text_named_as_a_reason_stands_with_what_it_explains(one_group):
    why = result("why", "textarea", {"text": ["shorter"]})
    first, second = one_group(
        task(annotation(1, 3, why, result("pw", "pairwise", {"selected": "left"})), left(4, id=2))
    ).judgments
    assert (first.reason, second.reason) == ("shorter", "")


ITEMS = [
    {"id": "blog", "title": "T", "body": "Ten tips."},
    {"id": "mdn", "title": "Arrow functions", "body": ""},
    {"id": "wiki", "title": "W", "html": "<b>Arrow</b>"},
]


@pytest.mark.parametrize(
    ("value", "order"),
    [
        (["mdn", "wiki", "blog"], (("1",), ("2",), ("0",))),
        ({"rank_2": ["blog"], "rank_1": ["mdn", "wiki"]}, (("1", "2"), ("0",))),
        ({"place10": ["blog"], "place9": ["mdn"]}, (("1",), ("0",))),
        # as Label Studio's page on Ranker shows it: the only key is the tag's name
        ({"rank": ["mdn", "wiki", "blog"]}, (("1",), ("2",), ("0",))),
        ({"_": ["wiki"], "r1": ["blog"], "r2": ["mdn"]}, (("0",), ("1",))),  # "_": left unsorted
        ({"1": ["mdn", "wiki", "blog"]}, (("1", "2", "0"),)),  # a bucket, though all are in it
    ],
)
def test_a_ranker_orders_the_items_of_a_list(one_group, value, order):
    row = task(annotation(1, 3, result("rank", "ranker", {"ranker": value}, "results")))
    group = one_group(row | {"data": {"query": "arrow function", "items": ITEMS}})
    assert [one.text for one in group.completions] == [
        "Ten tips.",
        "Arrow functions",
        "<b>Arrow</b>",
    ]
    (judgment,) = group.judgments
    assert judgment.kind == "ranking"
    assert tuple(tuple(name[-1] for name in tied) for tied in judgment.value) == order


def test_a_list_in_order_may_go_by_any_name_of_its_tag(one_group):
    order = ["wiki", "blog", "mdn"]
    for name in ("helpful", "sort_2"):
        row = task(annotation(1, 3, result(name, "ranker", {"ranker": {name: order}}, "results")))
        (judgment,) = one_group(row | {"data": {"query": "arrow", "items": ITEMS}}).judgments
        assert judgment.value == (("81-2",), ("81-0",), ("81-1",))


def test_a_list_in_order_is_read_from_json_min_too(one_group):
    data = {"id": 81, "query": "arrow", "items": ITEMS}
    about = {"annotator": 3, "annotation_id": 1}
    order = [{"ranker": {"rank": ["mdn", "wiki", "blog"]}}]
    (judgment,) = one_group(data | about | {"rank": order}).judgments
    assert judgment.value == (("81-1",), ("81-2",), ("81-0",))


def test_the_best_of_three_beats_two_that_tie(one_group):
    row = task(annotation(1, 3, result("best", "choices", {"choices": ["text3"]})), text3="Dust.")
    (judgment,) = one_group(row).judgments
    assert judgment.value == (("81-2",), ("81-0", "81-1"))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (result("stars", "rating", {"rating": 3}), "'stars' does not say which answer it rates"),
        (result("stars_text1", "rating", {"rating": 9}), "is 9, no rating from 1 to 7"),
        (result("stars_text1", "rating", {"rating": True}), "is true, no rating"),
        (result("pw", "pairwise", {"selected": "up"}), "neither left nor right"),
        (result("t", "choices", {"choices": ["Sport"]}), "says nothing known of an answer"),
        (result("t", "choices", {"choices": ["A", "B"]}), "several choices"),
        (result("x", "textarea", {"text": ["hm"]}), "neither answer nor reason"),
        (result("r", "ranker", {"ranker": {"best": ["a"]}}), "do not end in their number"),
        (result("r", "ranker", {"ranker": {"good": ["text2", "text1"]}}), "do not end in"),
        (result("r", "ranker", {"ranker": {"r": ["text2"]}}), "do not end in their number"),
        (result("r", "ranker", {"ranker": {"a1": ["text1"], "b1": ["text2"]}}), "do not end in"),
        (result("r", "ranker", {"ranker": "text1"}), "neither a list in order nor lists"),
        (result("r", "ranker", {"ranker": ["text1", "text1"]}), "each once"),
        (result("box", "rectanglelabels", {"x": 1}), "is no comparison, rating, choice"),
    ],
)
def test_what_cannot_be_understood_is_left_out_and_said(jsonl, bad, words):
    row = task(annotation(1, 3, bad))
    groups, report = read_groups(jsonl(task(annotation(2, 5, bad), left())))
    assert [one.rater for one in groups[0].judgments] == ["3"]
    assert any(note.startswith("1 left out: ") and words in note for note in report.notes)
    _, report = read_groups(jsonl(task(left()), row))
    (refused,) = report.refused
    assert refused.row == 2
    assert refused.reason.startswith("holds no judgment (")
    assert words in refused.reason


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (task(), "holds no judgment (nobody annotated it)"),
        (task(left(), prompt=None), "has no field for the prompt"),
        (task(left(), text2=" "), "answer 2 is empty"),
        (task(left(), prompt=" "), "the prompt is empty"),
        (task(left(), text1="\ud800"), "half a character"),
        (task(3), "annotations holds something other than objects"),
        (task(annotation(1, 3, {"value": 3})), "result holds something other"),
    ],
)
def test_tasks_that_are_refused(reason, bad, words):
    assert words in reason(task(left()), bad)


def test_unknown_annotators_are_not_one_person(one_group):
    group = one_group(task(left(None), left({"id": 9, "email": "m@x.org"}), left(None, id=7)))
    assert [one.rater for one in group.judgments] == ["annotation 1", "9", "annotation 7"]


def smallest(number: int, by: int, task_id: int = 81, **more: object) -> dict[str, object]:
    data = {"prompt": "q", "text1": "one", "text2": "two", "source": "web"}
    about = {"annotator": by, "annotation_id": number, "created_at": "x", "lead_time": 2.5}
    return data | {"id": task_id} | more | about


def test_rows_of_json_min_are_joined_by_task(tmp_path):
    rows = [
        smallest(1, 3, pw=[{"selected": "right"}], stars_text1=[{"rating": 2}], why="worse"),
        smallest(2, 3, task_id=82, preference="text1 is better", ideal="three"),
        smallest(3, 4, preference="Tie", topic="yes"),
    ]
    path = tmp_path / "export.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    groups, report = read_groups(path)
    assert report.format == "Label Studio JSON_MIN"
    assert "3 rows are annotations of 2 tasks" in report.notes
    assert [group.prompt.id for group in groups] == ["81", "82"]
    assert said(groups[0]) == [
        ("3", "pair", "b", ("81-0", "81-1"), "overall"),
        ("3", "rating", 2, ("81-0",), "overall"),
        ("4", "pair", "tie", ("81-0", "81-1"), "overall"),
    ]
    assert [one.reason for one in groups[0].judgments] == ["worse", "worse", ""]
    assert said(groups[1])[-1] == ("3", "demonstration", "three", (), "overall")
    assert groups[0].judgments[0].seconds == 2.5
    prompts, _ = read_prompts(path)
    assert [prompt.content for prompt in prompts] == ["q"]
    first, _ = read_groups(path, data_size=1)
    assert len(first[0].judgments) == 3  # all rows of the first task


def test_an_export_without_a_usable_row_is_an_error(jsonl):
    with pytest.raises(DataError, match="taken for Label Studio, and none of its 1 rows"):
        read_groups(jsonl(task()))
