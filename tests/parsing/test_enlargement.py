from __future__ import annotations

import numpy as np

from vto_utils import labels
from vto_utils.parsing import enlarge_labels


def test_enlarge_labels() -> None:
    small = np.zeros((24, 18), np.uint8)
    small[4:12, 3:15] = labels.ID["upper-clothes"]
    small[12:20, 3:9], small[12:20, 9:15] = labels.ID["left-leg"], labels.ID["right-leg"]
    mask = np.zeros((96, 72), np.uint8)
    mask[18:82, 14:58] = 255
    large = enlarge_labels(small, np.zeros((96, 72, 3), np.uint8), mask)
    assert large.shape == mask.shape and large.dtype == np.uint8
    assert set(np.unique(large)) == set(np.unique(small))
    assert not large[mask < 128].any()
    for row, column in ((8, 9), (16, 5), (16, 12)):
        assert (large[4 * row - 4 : 4 * row + 8, 4 * column - 4 : 4 * column + 8] == small[row, column]).all()
    inside = mask > 127
    same = large == np.repeat(np.repeat(small, 4, 0), 4, 1)
    assert same[inside].mean() > 0.9
