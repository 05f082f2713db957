"""The table of methods: names, options, and what a wrong one is answered with."""

from __future__ import annotations

import pytest

from suffrage.core.errors import SettingsError
from suffrage.objectives.table import OBJECTIVES, objective


@pytest.mark.parametrize(("name", "row"), OBJECTIVES.items())
def test_every_row_knows_its_name_paper_and_numeric_options(name, row):
    assert row.name == name
    assert row.summary
    assert row.paper.replace(".", "").isdigit()
    assert all(isinstance(value, (int, float)) for value in row.options().values())


def test_options_are_the_keyword_arguments_of_the_function():
    assert objective("dpo").options() == {"beta": 0.1, "label_smoothing": 0.0, "nll": 0.0}
    assert objective("reward").options() == {"centring": 0.0}
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
    with pytest.raises(SettingsError, match=r"'xyz'; known: dpo, ppo, reward, sft\."):
        objective("xyz")
