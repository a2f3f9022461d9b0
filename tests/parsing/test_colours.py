from __future__ import annotations

import numpy as np
import pytest

from vto_utils.parsing.colours import BINS, colour_bins, histogram, weigh_by_colour


def test_bins_part_colours_and_hold_alike_ones_together():
    row = np.float32([[[1, 0, 0], [0.99, 0, 0], [0, 0, 1], [0, 0, 0], [1, 1, 1]]])
    bins = colour_bins(row)[0]
    assert bins.min() >= 0 and bins.max() < np.prod(BINS)
    assert bins[0] == bins[1] and len(set(bins[1:].tolist())) == 4


def test_a_histogram_is_a_probability_with_a_floor():
    rng = np.random.default_rng(0)
    bins = rng.integers(0, np.prod(BINS), (20, 30))
    table = histogram(bins, np.ones((20, 30)))
    assert table.shape == (np.prod(BINS),) and table.min() >= 2e-5
    assert (table - 2e-5).sum() == pytest.approx(1, abs=1e-6)
    assert np.ptp(histogram(bins, np.zeros((20, 30)))) == 0  # nothing known: all alike


def photo_and_chances():
    """Red on the left, blue on the right, and a red patch that the network takes for the blue class."""
    image = np.zeros((40, 60, 3), np.float32)
    image[:, :30], image[:, 30:] = (0.8, 0.1, 0.1), (0.1, 0.1, 0.8)
    image[15:20, 40:45] = (0.8, 0.1, 0.1)
    chances = np.zeros((4, 40, 60), np.float32)
    chances[0, :, :5], chances[1, :, 5:30], chances[2, :, 30:] = 0.9, 0.8, 0.8
    chances[1:3, 15:20, 40:45] = np.float32([0.4, 0.5])[:, None, None]
    chances[3] = 0.02
    return image, chances / chances.sum(0)


def test_colours_decide_where_the_network_is_in_doubt():
    image, chances = photo_and_chances()
    before = chances.copy()
    weighed = weigh_by_colour(chances, image)
    np.testing.assert_array_equal(chances, before)
    assert (chances[:, 15:20, 40:45].argmax(0) == 2).all() and (weighed[:, 15:20, 40:45].argmax(0) == 1).all()
    rest = np.ones((40, 60), bool)
    rest[15:20, 40:45] = False
    assert (weighed.argmax(0) == chances.argmax(0))[rest].all()
    assert np.allclose(weighed.sum(0), 1, atol=1e-3)
    assert np.allclose(weighed[0], np.maximum(chances[0], 1e-4))  # what is background is not for colours to say


def test_colours_say_nothing_where_they_are_all_alike():
    image, chances = photo_and_chances()
    weighed = weigh_by_colour(chances, np.full_like(image, 0.5))
    sure = chances.max(0) > 0.6
    assert (weighed.argmax(0) == chances.argmax(0))[sure].all()
    nobody = np.zeros_like(chances)
    nobody[0] = 1
    assert (weigh_by_colour(nobody, image).argmax(0) == 0).all()


def test_classes_that_look_alike_share_their_colours():
    """A class sure nowhere in a place of its own colours gains by another that has them."""
    image, chances = photo_and_chances()
    chances[3, :2, 5:11], chances[1, :2, 5:11] = 0.9, 0.05  # a little of class 3, on red too
    alone, together = weigh_by_colour(chances, image), weigh_by_colour(chances, image, alike=(1, 3))
    assert np.allclose(together[1, 30, 20] / together[3, 30, 20], chances[1, 30, 20] / chances[3, 30, 20], rtol=1e-2)
    assert alone.shape == together.shape
