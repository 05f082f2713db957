"""Settings: names, values, and the learning rate that follows from a model's size."""

from __future__ import annotations

import pytest

from suffrage.core.errors import SettingsError
from suffrage.train.settings import learning_rate, make_settings

GIVEN = {"method": "dpo", "model": "m", "data": "d"}


@pytest.mark.parametrize(
    ("parameters", "rate"),
    [
        (1, 2e-4),
        (1_000_000, 2e-4),
        # half of the way in the logarithm: sqrt(2e-4 * 5e-7) = 1e-5 at sqrt(1e6 * 7e9) parameters
        (83_666_003, 1e-5),
        (7_000_000_000, 5e-7),
        (70_000_000_000, 5e-7),
    ],
)
def test_the_rate_falls_with_the_size_between_the_two_known(parameters, rate):
    assert learning_rate("dpo", parameters) == pytest.approx(rate)


@pytest.mark.parametrize("method", ["sft", "reward", "dpo", "ppo"])
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
        ({"batch_size": 0}, r"--batch-size is 0: input should be greater than or equal to 1\."),
        ({"lr": -1.0}, r"--lr is -1\.0: input should be greater than 0\."),
        ({"epochs": "many"}, r"--epochs is 'many': input should be a valid number"),
        ({"holdout": 1.0}, r"--holdout is 1\.0: input should be less than 1\."),
        ({"schedule": "steep"}, r"--schedule is 'steep': input should be 'linear', 'cosine'"),
        ({"overlong": "drop"}, r"--overlong is 'drop': input should be 'refuse', 'skip' or 'cut'"),
        ({"data_size": 0}, r"--data-size is 0: "),
        ({"max_length": 1}, r"--max-length is 1: "),
        ({"device": "abacus"}, r"--device is 'abacus': "),
    ],
)
def test_a_wrong_setting_is_named_in_one_sentence(changes, sentence):
    with pytest.raises(SettingsError, match="^" + sentence) as error:
        make_settings(**GIVEN, **changes)
    assert "\n" not in str(error.value)
