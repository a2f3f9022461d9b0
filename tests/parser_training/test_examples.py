from __future__ import annotations

import cv2
import numpy as np
from drawn_people import drawn

from vto_utils.labels import ID
from vto_utils.parser_training.augmentation import augment
from vto_utils.parser_training.examples import BAG, UNKNOWN, flip_example, warp_example
from vto_utils.parsing.framing import frame_matrix, person_box
from vto_utils.pose import KEYPOINT_NAMES


def test_flip_swaps_left_and_right():
    example = drawn()
    flipped = flip_example(example)
    assert (flipped.labels == ID["right-arm"]).sum() == (example.labels == ID["left-arm"]).sum()
    assert not (flipped.labels == ID["left-arm"]).any()
    wrist = flipped.keypoints[KEYPOINT_NAMES.index("right_wrist")]
    assert wrist.tolist() == [119 - 88, 98, 1]
    again = flip_example(flipped)
    assert np.array_equal(again.labels, example.labels) and np.array_equal(again.image, example.image)
    assert np.allclose(again.keypoints, example.keypoints)


def test_frames_keep_picture_labels_and_points_together():
    example = drawn()
    matrix = frame_matrix(person_box(example.alpha, example.keypoints), (256, 192), 0.1, angle=12)
    warped = warp_example(example, matrix, (256, 192))
    inner = cv2.erode((warped.labels == ID["upper-clothes"]).astype(np.uint8), np.ones((5, 5))) > 0
    assert inner.sum() > 500
    assert (np.abs(warped.image[inner].astype(int) - (250, 0, 0)) < 12).all()
    assert (warped.labels == UNKNOWN).any() and (warped.image[warped.labels == UNKNOWN] == 127).mean() > 0.9
    elbow = warped.keypoints[KEYPOINT_NAMES.index("left_elbow"), :2].round().astype(int)
    assert warped.labels[elbow[1], elbow[0]] == ID["left-arm"]


def test_augmentation_is_decided_by_its_generator():
    example = drawn()
    pictures = [augment(example, (96, 64), np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(pictures[0].image, pictures[1].image)
    assert np.array_equal(pictures[0].labels, pictures[1].labels)
    assert not np.array_equal(pictures[0].image, pictures[2].image)
    for picture in pictures:
        assert picture.image.shape == (96, 64, 3) and picture.image.dtype == np.uint8
        assert set(np.unique(picture.labels)) <= {0, BAG, ID["upper-clothes"], ID["left-arm"], ID["right-arm"], UNKNOWN}
