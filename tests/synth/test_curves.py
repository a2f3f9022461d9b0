"""Curves between 0 and 1."""

from __future__ import annotations

import numpy as np

from vto_utils.synth.curves import smoothstep


def test_smoothstep():
    np.testing.assert_allclose(smoothstep(1.0, 3.0, np.array([0.0, 1.0, 2.0, 3.0, 4.0])), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(smoothstep(3.0, 1.0, np.array([0.0, 1.5, 2.0, 3.0])), [1, 0.84375, 0.5, 0])
