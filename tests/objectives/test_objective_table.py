"""The table of methods: names, options, and what a wrong one is answered with."""

from __future__ import annotations

import re

import pytest

from suffrage.core.errors import SettingsError
from suffrage.objectives.table import OBJECTIVES, objective


@pytest.mark.parametrize(("name", "row"), OBJECTIVES.items())
def test_every_row_knows_its_name_its_paper_and_what_its_options_are(name, row):
    assert row.name == name
    assert row.summary
    assert re.fullmatch(r"\d{4}\.\d{5}|[A-Z].+, .+ \d{4}", row.paper)  # on arXiv, or in print
    for name, value in row.options().items():
        assert value in row.choices(name) if row.choices(name) else isinstance(value, (int, float))


def test_options_are_the_keyword_arguments_of_the_function():
    assert objective("dpo").options() == {"beta": 0.1, "label_smoothing": 0.0, "nll": 0.0}
    assert objective("reward").options() == {"centring": 0.0, "margin": 0.0}
    assert objective("ipo").options() == {"beta": 0.1, "tokens": "summed"}
    assert objective("sft").options() == {}
    assert objective("ppo").options()["kl_coef"] == 0.05


def test_what_is_given_replaces_the_default():
    assert objective("dpo").check({"beta": 0.7}) == {
        "beta": 0.7,
        "label_smoothing": 0.0,
        "nll": 0.0,
    }


def test_an_unknown_option_suggests_the_nearest():
    with pytest.raises(SettingsError, match=r"dpo has no option 'bta'; did you mean 'beta'\?"):
        objective("dpo").check({"bta": 0.7})


def test_an_unknown_method_suggests_the_nearest_or_lists_all():
    with pytest.raises(SettingsError, match=r"no method 'dop'; did you mean 'dpo'\?"):
        objective("dop")
    with pytest.raises(SettingsError, match=r"'xyz'; known: aot, aot-unpaired, bco, .*, slic\."):
        objective("xyz")


def test_a_word_that_is_no_choice_is_answered_with_the_choices():
    assert objective("ipo").check({"tokens": "averaged"})["tokens"] == "averaged"
    with pytest.raises(
        SettingsError, match=r"--tokens of ipo is 'mean'; it must be summed or averaged\."
    ):
        objective("ipo").check({"tokens": "mean"})
