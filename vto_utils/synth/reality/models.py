"""The outside models, and what each of them says of one picture."""

from __future__ import annotations

import contextlib

import numpy as np

from ...background import BackgroundRemover
from ...errors import InputError, NoPersonError
from ...garment import GarmentReader
from ...pose import KEYPOINT_NAMES, Pose, PoseEstimator
from .accuracy import JOINTS, mirrored, torso
from .appearance import flat_values, sleeve_values

#: Names of two statistics that photographs have too.
IOU, MIRROR = "u2netp's IoU", "MediaPipe against itself mirrored, %"


class Models:
    """MediaPipe's pose landmarker and rembg's u2netp, and the reader of garment pictures that builds on it.

    Use it as a context manager, or call :meth:`close`.
    """

    def __init__(self) -> None:
        self.poses = PoseEstimator()
        self.remover = BackgroundRemover()
        self.reader = GarmentReader(self.remover)

    def __enter__(self) -> Models:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the landmarker; it opens again by itself."""
        self.poses.close()

    def pose(self, image: np.ndarray) -> tuple[Pose | None, list[float]]:
        """The pose, and how far its joints are from those of the mirrored picture in % of the torso.

        Args:
            image: (H, W, 3) uint8 RGB.
        """
        try:
            pose = self.poses.estimate(image)
            other = mirrored(self.poses.estimate(np.ascontiguousarray(image[:, ::-1])).keypoints, image.shape[1])
        except NoPersonError:
            return None, []
        known = (pose.keypoints[:, 2] > 0.5) & (other[:, 2] > 0.5)
        wanted = np.array([name in JOINTS for name in KEYPOINT_NAMES]) & known
        away = np.linalg.norm(pose.keypoints[wanted, :2] - other[wanted, :2], axis=1)
        return pose, (away / max(torso(pose.keypoints)[0], 1e-6) * 100).tolist()

    def flat(self, image: np.ndarray, top: bool, mask: np.ndarray | None = None) -> dict[str, list[float]]:
        """Statistics of a flat garment.

        Args:
            image: (H, W, 3) uint8 RGB.
            top: whether it is one, of which the proportions are read too; that is always done from the picture.
            mask: (H, W) bool; read from the picture if not given.
        """
        values = flat_values(image, (self.reader.alpha(image) > 0.5) if mask is None else mask)
        if top:
            with contextlib.suppress(InputError):  # not to be read: a heap, no contrast
                values |= sleeve_values(self.reader.read(image, "upper_body").landmarks)
        return values


def shares(pose: Pose | None, image: np.ndarray) -> list[list[float]]:
    """The 18 key points as shares of the picture's width and height, with their confidence; empty without a pose."""
    return [] if pose is None else (pose.keypoints / [image.shape[1], image.shape[0], 1]).round(4).tolist()
