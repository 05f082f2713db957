"""The active choice: its worth by hand, the votes it saves, and its place in the queue."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm

from benchmarks.active import mean_accuracy
from suffrage.core.records import Completion, Group, Judgment, Prompt
from suffrage.label.active import Belief, believe, information, worth
from suffrage.label.queue import Nothing, next_work
from suffrage.label.store.contents import TaskPlan, add_groups, add_tasks
from suffrage.label.store.database import Store
from suffrage.label.store.judgments import submit
from suffrage.label.store.raters import add_rater
from suffrage.label.store.settings import Rules, write_rules
from tests.label.store.project import group, judge, vote, work_for


def test_the_worth_of_a_comparison_by_hand() -> None:
    score = np.array([np.log(3.0), 0.0, 0.0])  # the first beats the others three times in four
    covariance = np.array([[0.8, 0.1, 0.0], [0.1, 0.5, 0.0], [0.0, 0.0, 2.0]])
    first, second = np.array([0, 1]), np.array([1, 2])
    found = information(score, covariance, first, second)
    # 3/4 * 1/4 * (0.8 + 0.5 - 0.2) and 1/2 * 1/2 * (0.5 + 2.0); Phi(-log(3) / sqrt(1.1)) = 0.14744
    expected = [0.14744 * np.log(1.20625), 0.5 * np.log(1.625)]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_it_is_the_doubt_times_what_one_comparison_adds_to_the_log_determinant() -> None:
    counts = {("a", "b"): [5.0, 2.0], ("b", "c"): [1.0, 4.0], ("a", "c"): [3.0, 3.0]}
    belief = believe(counts)
    p = expit(belief.score_K[0] - belief.score_K[2])
    row = np.array([1.0, 0.0, -1.0])
    before = np.linalg.inv(belief.covariance_KK + np.ones((3, 3)))  # the shift made finite
    after = before + p * (1 - p) * np.outer(row, row)
    gained = np.linalg.slogdet(after)[1] - np.linalg.slogdet(before)[1]
    doubt = norm.sf(abs(row @ belief.score_K), scale=np.sqrt(row @ belief.covariance_KK @ row))
    assert 0 < doubt < 0.5
    assert worth(belief, [("a", "c")])[0] == pytest.approx(doubt * gained)


def test_a_model_nobody_compared_is_worth_most_and_one_against_itself_nothing() -> None:
    belief = Belief(("a", "b"), np.array([2.5, -2.5]), np.array([[0.3, 0.0], [0.0, 0.3]]))
    new, known, same = worth(belief, [("a", "new"), ("a", "b"), ("b", "b")])
    # the ridge of 0.1 lets a new score vary by 10
    doubt = norm.cdf(-2.5 / np.sqrt(10.3))
    assert new == pytest.approx(doubt * np.log1p(expit(2.5) * expit(-2.5) * 10.3))
    assert new > known > same == 0


def test_the_active_choice_is_as_accurate_as_random_order_with_six_tenths_of_the_votes() -> None:
    about = {"studies": 8, "spread": 3.0}
    active = mean_accuracy(150, active=True, **about)
    assert active >= mean_accuracy(250, active=False, **about)


def compared(source: str, *numbers: int) -> list[Group]:
    """Prompts with an answer of the model `near` and one of this model."""
    return [
        Group(
            prompt=Prompt(id=f"{source}{number}", content="?"),
            completions=tuple(
                Completion(
                    id=f"{name}{number}", prompt_id=f"{source}{number}", text="", source=name
                )
                for name in ("near", source)
            ),
        )
        for number in numbers
    ]


def test_the_queue_gives_the_most_informative_of_the_least_judged(store: Store) -> None:
    known = [
        found.model_copy(update={"judgments": (imported(found, number),)})
        for number, found in enumerate(compared("weak", *range(12)))
    ]
    add_groups(store, [*known, *compared("new", 0)])
    add_tasks(store, TaskPlan(kind="pair", overlap=1))
    write_rules(store, Rules(choice="active"), "team")
    work = work_for(store, add_rater(store, "Bob"))
    assert {one.source for one in work.completions} == {"near", "new"}
    submit(store, add_rater(store, "Bob").id, vote(work))
    assert work_for(store, add_rater(store, "Bob")).prompt.id.startswith("weak")


def imported(found: Group, number: int) -> Judgment:
    """Ann's vote for the answer of `near`."""
    ids = tuple(one.id for one in found.completions)
    parts = {"prompt_id": found.prompt.id, "rater": "Ann", "kind": "pair", "completions": ids}
    return Judgment(id=str(number), value="a", **parts)


def test_the_queue_falls_back_to_even_work_where_models_are_not_named(store: Store) -> None:
    add_groups(store, [group(1, "xy"), group(2, "xy")])
    add_tasks(store, TaskPlan(kind="rating", overlap=1))
    write_rules(store, Rules(choice="active"), "team")
    ann = add_rater(store, "Ann")
    for _ in range(4):
        judge(store, ann, 5)
    assert next_work(store, ann.id) == Nothing("finished")
