"""What every test stands on: no network, and Hypothesis without deadlines or surprises."""

from __future__ import annotations

import os

from hypothesis import settings

os.environ["HF_HUB_OFFLINE"] = "1"  # a test that would download must fail, not wait

settings.register_profile("suite", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("suite")
