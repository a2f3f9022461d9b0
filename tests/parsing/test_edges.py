from __future__ import annotations

import numpy as np
import pytest

from vto_utils.parsing.edges import GuidedEnlargement


def test_a_coarse_border_moves_onto_the_edge_of_the_photo():
    photo = np.zeros((120, 160, 3), np.uint8)
    photo[:, 75:] = (40, 200, 90)
    enlarge = GuidedEnlargement(photo, 4, 2, 5e-4)
    assert enlarge.size == (30, 40)
    coarse = np.zeros((30, 40), np.float32)
    coarse[:, 18:] = 1  # which is at 72
    large = enlarge(coarse)
    assert large.shape == (120, 160) and large.dtype == np.float32
    assert (large[:, 60:75] < 0.5).all() and (large[:, 75:] > 0.5).all()


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (37, 53)])
def test_what_is_even_stays_even(size):
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    enlarge = GuidedEnlargement(photo, 1.5, 2, 5e-4)
    assert np.allclose(enlarge(np.full(enlarge.size, 0.3, np.float32)), 0.3, atol=1e-3)
