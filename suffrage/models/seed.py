"""One seed for every generator that a model's code may draw from.

The same as `transformers.set_seed`, which loads its trainer and with it PEFT: a second of every
command's start.
"""

from __future__ import annotations

import random

import numpy as np
import torch


def set_seed(seed: int) -> None:
    """Seed Python's, NumPy's and torch's generators, on every device."""
    random.seed(seed)
    np.random.seed(seed)  # libraries still draw from the global one
    torch.manual_seed(seed)
