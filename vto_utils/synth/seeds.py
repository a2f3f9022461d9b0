"""Random streams: one per data set seed, sample and stage, so that a change in one leaves the others as they were."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, index: int, name: str) -> np.random.Generator:
    """The random numbers of one stage of one sample.

    Args:
        seed: of the data set, 0 or more.
        index: of the sample, 0 or more.
        name: of the stage, such as ``"pose"``.

    Returns:
        A generator that depends on these three alone: not on the machine, the process or what was drawn before.
    """
    return np.random.default_rng([seed, index, zlib.crc32(name.encode())])
