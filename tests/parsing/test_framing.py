from __future__ import annotations

import numpy as np

from vto_utils.parsing.framing import frame_matrix, heatmaps, network_input, person_box, warp_photo, warp_points
from vto_utils.pose import KEYPOINT_NAMES, Pose


def standing() -> Pose:
    """Somebody facing the camera in a photo of 200 x 120; the person's left is on the right."""
    places = {
        "nose": (60, 24), "neck": (60, 48), "right_eye": (57, 21), "left_eye": (63, 21), "right_ear": (53, 23),
        "left_ear": (67, 23), "right_shoulder": (44, 48), "right_elbow": (36, 75), "right_wrist": (32, 98),
        "left_shoulder": (76, 48), "left_elbow": (84, 75), "left_wrist": (88, 98), "right_hip": (51, 100),
        "right_knee": (50, 140), "right_ankle": (50, 178), "left_hip": (69, 100), "left_knee": (70, 140),
        "left_ankle": (70, 178),
    }  # fmt: skip
    points = np.array([(*places[name], 1) for name in KEYPOINT_NAMES], np.float32)
    return Pose(points)


def test_the_box_leaves_passers_by_out():
    alpha = np.zeros((200, 120), np.uint8)
    alpha[20:190, 30:90] = 255
    alpha[10:60, 0:10] = 255  # somebody else
    assert person_box(alpha, standing().keypoints) == (30, 20, 60, 170)
    assert person_box(np.zeros((8, 6), np.uint8), np.zeros((18, 3), np.float32)) == (0, 0, 6, 8)


def test_the_frame_shows_the_box_in_its_middle():
    matrix = frame_matrix((30, 20, 60, 170), (256, 192), margin=0.0)
    corners = np.float32([[29.5, 19.5, 1], [89.5, 189.5, 1]]) @ matrix.T  # outer edges of the first and last pixels
    assert np.allclose(corners[:, 1], [-0.5, 255.5], atol=1e-3)
    assert np.allclose(corners[:, 0].sum(), 191, atol=1e-3)  # as much room on the left as on the right
    points = warp_points(np.float32([[59.5, 104.5, 0.5], [10, 10, 0]]), matrix)
    assert np.allclose(points, [[95.5, 127.5, 0.5], [0, 0, 0]], atol=1e-3)


def test_a_photo_far_too_large_is_smoothed_before_it_shrinks():
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 255
    small = warp_photo(stripes, frame_matrix((0, 0, 400, 400), (64, 64), margin=0.0), (64, 64))
    assert np.abs(small[4:-4, 4:-4].astype(int) - 127).max() < 8
    outside = warp_photo(stripes, frame_matrix((0, 0, 400, 100), (64, 64), margin=0.0), (64, 64))
    assert (outside[:10] == 127).all()


def test_heatmaps_peak_at_the_points():
    maps = heatmaps(standing().keypoints, (200, 120))
    assert maps.shape == (7, 200, 120) and maps.dtype == np.float32
    assert maps[3, 98, 88] == maps[3, 98, 32] == 1  # both wrists
    assert maps.min() >= 0 and maps.max() == 1
    assert heatmaps(np.zeros((18, 3), np.float32), (32, 32)).max() == 0


def test_network_input_is_normalised():
    x = network_input(np.full((32, 32, 3), 127, np.uint8), np.full((32, 32), 255, np.uint8), standing().keypoints)
    assert x.shape == (11, 32, 32) and x.dtype == np.float32
    assert (x[:3] == 0).all() and (x[3] == 1).all()
