"""Settings: names, values, and the learning rate that follows from a model's size."""

from __future__ import annotations

import math

import pytest

from suffrage.core.errors import SettingsError
from suffrage.objectives.table import OBJECTIVES
from suffrage.train.settings import learning_rate, make_settings

GIVEN = {"method": "dpo", "model": "m", "data": "d"}


@pytest.mark.parametrize(
    ("parameters", "rate"),
    [
        (1, 9.5e-4),
        (1_000_000, 9.5e-4),
        # half of the way in the logarithm: sqrt(9.5e-4 * 5e-7) = 2.18e-5 at sqrt(1e6 * 7e9), and
        # rates have two digits
        (83_666_003, 2.2e-5),
        (7_000_000_000, 5e-7),
        (70_000_000_000, 5e-7),
    ],
)
def test_the_rate_falls_with_the_size_between_the_two_known(parameters, rate):
    assert learning_rate("dpo", parameters) == pytest.approx(rate)


@pytest.mark.parametrize("method", OBJECTIVES)
def test_every_method_has_a_falling_rate(method):
    rates = [learning_rate(method, int(10**k)) for k in range(5, 12)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > rates[-1]


def test_what_is_not_given_has_a_default():
    made = make_settings(**GIVEN)
    assert (made.seed, made.epochs, made.schedule, made.overlong) == (0, 1, "linear", "refuse")
    assert made.lr is None
    assert made.options == {}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"epoch": 2}, r"there is no setting 'epoch'; did you mean 'epochs'\?"),
        ({"batch_size": 0}, r"--batch-size is 0; it must be at least 1\."),
        ({"lr": -1.0}, r"--lr is -1\.0; it must be more than 0"),
        ({"epochs": "many"}, r"--epochs is 'many': input should be a valid number"),
        ({"holdout": 1.0}, r"--holdout is 1\.0; it must be less than 1"),
        ({"schedule": "steep"}, r"--schedule is 'steep'; it must be one of 'linear', 'cosine'"),
        (
            {"overlong": "drop"},
            r"--overlong is 'drop'; it must be one of 'refuse', 'skip'",
        ),
        ({"data_size": 0}, r"--data-size is 0; it must be at least 1\."),
        ({"max_length": 1}, r"--max-length is 1; it must be at least 2\."),
        ({"device": "abacus"}, r"--device is 'abacus'; it must be one of 'auto', 'cpu'"),
        ({"lr": math.inf}, r"--lr is inf; it must be a finite number\."),
        ({"seed": -1}, r"--seed is -1; it must be at least 0\."),
        ({"seed": 2**32}, r"--seed is 4294967296; it must be less than 4294967296\."),
        ({"support_ratio": 1.2}, r"--support-ratio is 1\.2; it must be at most 1"),
    ],
)
def test_a_wrong_setting_is_named_in_one_sentence(changes, sentence):
    with pytest.raises(SettingsError, match="^" + sentence) as error:
        make_settings(**GIVEN, **changes)
    assert "\n" not in str(error.value)
