"""Limbs by the pose: how far away they are, and which of two is the person's left one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

from ..body import BodyFrame, arm_chain, capsule, leg_chain
from ..errors import NoPersonError
from ..pose import Pose

#: Radii of a limb with what is worn on it, in shoulder breadths: shoulder, elbow, wrist, fingertips.
ARM_RADII = (0.2, 0.16, 0.12, 0.14)
#: Hip, knee, ankle, toes.
LEG_RADII = (0.3, 0.2, 0.14, 0.16)

_LONG_SIDE = 192  # pixels at which sides are decided: distances are smooth


def limb_distance(chain: Sequence[np.ndarray], radii: Sequence[float], size: tuple[int, int]) -> np.ndarray:
    """Distance of every pixel to a limb, as a share of the limb's radius there (1 = on its surface).

    Args:
        chain: joints, (2,) x, y each, in pixels; as many as are known.
        radii: the limb's radius at each joint in pixels, at least as many.
        size: (height, width).

    Returns:
        (H, W) float; 99 everywhere where there are fewer than two joints.
    """
    distance = np.full(size, 99.0, np.float32)
    for (start, end), pair in zip(pairwise(chain), pairwise(radii), strict=False):
        distance = np.minimum(distance, capsule(start, end, pair, size))
    return distance


def left_sides(pose: Pose | None, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Where the person's left arm is nearer than the right one, and the left leg.

    Args:
        pose: in pixels; without one, or without shoulders, the person is taken to face the camera in the middle.
        size: (height, width).

    Returns:
        Two (H, W) bool masks: arms, legs.
    """
    scale = min(1.0, _LONG_SIDE / max(size))
    small = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    half = np.broadcast_to(np.arange(size[1]) >= size[1] / 2, size)
    if pose is None:
        return half, half
    pose = pose.scaled(small[1] / size[1], small[0] / size[0])
    try:
        frame = BodyFrame.from_pose(pose)
    except NoPersonError:
        return half, half
    answers = []
    for chains, radii in (
        ([arm_chain(pose, frame, side) for side in ("left", "right")], ARM_RADII),
        ([leg_chain(pose, side) for side in ("left", "right")], LEG_RADII),
    ):
        left, right = (limb_distance(chain, [r * frame.breadth for r in radii], small) for chain in chains)
        nearer = np.clip(right - left, -50, 50).astype(np.float32)
        answers.append(cv2.resize(nearer, size[::-1], interpolation=cv2.INTER_LINEAR) >= 0)
    return answers[0], answers[1]
