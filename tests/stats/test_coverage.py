"""95 % intervals hold the truth about 95 times of 100: the studies of the docs' table, fewer."""

from __future__ import annotations

import pytest

from benchmarks.coverage import STUDIES, coverage


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_intervals_hold_the_truth(name: str) -> None:
    # Six scores a study are nearly five independent intervals
    studies = 80 if name.startswith("Bradley") else 300
    share = coverage(STUDIES[name], prompts=60, studies=studies, rounds=400)
    assert 0.92 <= share <= 0.98
