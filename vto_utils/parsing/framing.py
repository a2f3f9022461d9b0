"""What the network sees of a photo: the person, framed, with a mask and heatmaps of the key points."""

from __future__ import annotations

import cv2
import numpy as np

from ..networks.parser import MEAN, STD
from ..pose import KEYPOINT_NAMES

#: Key points that share a heatmap, left with right: the network does not tell them apart.
HEATMAPS = (
    ("nose", "right_eye", "left_eye", "right_ear", "left_ear"),
    ("neck", "right_shoulder", "left_shoulder"),
    ("right_elbow", "left_elbow"),
    ("right_wrist", "left_wrist"),
    ("right_hip", "left_hip"),
    ("right_knee", "left_knee"),
    ("right_ankle", "left_ankle"),
)
_HEATMAP_ROWS = tuple(tuple(KEYPOINT_NAMES.index(name) for name in group) for group in HEATMAPS)
_HEATMAP_WIDTH = 1 / 40  # standard deviation, as a share of the picture's height


def person_box(alpha: np.ndarray, keypoints: np.ndarray) -> tuple[float, float, float, float]:
    """x, y, width, height of the person in pixels: of the mask's pieces that hold key points, and of the points.

    Without mask and points it is the whole picture.
    """
    height, width = alpha.shape
    known = keypoints[keypoints[:, 2] > 0.3, :2]
    inside = (known >= 0).all(1) & (known[:, 0] < width) & (known[:, 1] < height) if len(known) else np.zeros(0, bool)
    known = known[inside]
    mask = (alpha > 127).astype(np.uint8)
    if len(known):
        _, pieces = cv2.connectedComponents(mask)
        x, y = known.astype(int).T
        hit = np.unique(pieces[y, x])
        mask = np.isin(pieces, hit[hit > 0])
    ys, xs = np.nonzero(mask)
    if len(known):
        xs, ys = np.concatenate([xs, known[:, 0]]), np.concatenate([ys, known[:, 1]])
    if not len(xs):
        return 0.0, 0.0, float(width), float(height)
    return float(xs.min()), float(ys.min()), float(np.ptp(xs)) + 1, float(np.ptp(ys)) + 1


def frame_matrix(
    box: tuple[float, float, float, float], size: tuple[int, int], margin: float = 0.06, angle: float = 0.0
) -> np.ndarray:
    """(2, 3) float32 affine matrix from photo pixels to a picture of ``size`` (height, width) that shows the box.

    Args:
        box: x, y, width, height.
        margin: around the box, as a share of its longer side.
        angle: degrees by which the picture is turned.
    """
    x, y, w, h = box
    border = 2 * margin * max(w, h)
    scale = min(size[1] / (w + border), size[0] / (h + border))
    matrix = cv2.getRotationMatrix2D((x + w / 2 - 0.5, y + h / 2 - 0.5), angle, scale)
    matrix[:, 2] += np.array([size[1] / 2 - 0.5, size[0] / 2 - 0.5]) - [x + w / 2 - 0.5, y + h / 2 - 0.5]
    return matrix.astype(np.float32)


def warp_photo(image: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bring a photo into another frame, smoothed first where it shrinks; grey where it has nothing.

    Args:
        image: (H, W, 3) uint8.
        matrix: (2, 3) of :func:`frame_matrix`.
        size: (height, width) of the frame.
    """
    shrinking = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if shrinking < 0.6:  # warpAffine looks at four pixels only
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / shrinking)
    return cv2.warpAffine(image, matrix, size[::-1], flags=cv2.INTER_LINEAR, borderValue=(127, 127, 127))


def warp_points(keypoints: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(N, 3) float32 key points in another frame; those that are not known become zero."""
    points = keypoints.copy()
    points[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    points[keypoints[:, 2] <= 0] = 0
    return points


def heatmaps(keypoints: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(7, H, W) float32 in [0, 1]: a Gaussian at every known point, for each group of :data:`HEATMAPS`."""
    sigma = _HEATMAP_WIDTH * size[0]
    result = np.zeros((len(HEATMAPS), *size), np.float32)
    for channel, rows in enumerate(_HEATMAP_ROWS):
        for x, y, confidence in keypoints[list(rows)]:
            if confidence > 0.1:
                across = np.exp(-((np.arange(size[1]) - x) ** 2) / (2 * sigma**2)).astype(np.float32)
                down = np.exp(-((np.arange(size[0]) - y) ** 2) / (2 * sigma**2)).astype(np.float32)
                np.maximum(result[channel], down[:, None] * across, out=result[channel])
    return result


def network_input(image: np.ndarray, alpha: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """(11, H, W) float32 as :class:`~vto_utils.networks.parser.ParserNet` takes it."""
    photo = (image.astype(np.float32) - MEAN) / STD
    mask = alpha.astype(np.float32)[None] / 255
    return np.concatenate([photo.transpose(2, 0, 1), mask, heatmaps(keypoints, alpha.shape)])
