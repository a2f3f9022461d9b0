"""Hiding the old garment: the region of a photo that a try-on may repaint.

The region covers the old garment wholly, with room for one of another cut, and the limbs it may hide or show.
Face, hair, hands, shoes and the other garments stay outside. The recipe follows what VITON-HD and DressCode
pipelines do, in proportions of the body instead of pixels.
"""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from . import filters, labels
from .body import BodyFrame, arm_chain, leg_chain
from .errors import InputError
from .pose import Pose

_GREY = 128  # of the agnostic image, as in VITON-HD's files
_HEAD = tuple(labels.ID[n] for n in ("hat", "hair", "sunglasses", "face"))


def agnostic_mask(parsing: np.ndarray, pose: Pose, category: str, long_side: int = 512) -> np.ndarray:
    """The region a try-on of ``category`` may change.

    Args:
        parsing: uint8 HW CIHP-20 ids.
        pose: key points in pixels of the label map.
        category: ``upper_body``, ``lower_body`` or ``dresses``.
        long_side: the region is drawn at this many pixels on the longer side; what must be kept is cut out
            at the label map's own size.

    Returns:
        bool HW, True = may be repainted.

    Raises:
        InputError: unknown category.
        NoPersonError: the shoulders are not visible.
    """
    if category not in labels.CATEGORIES:
        raise InputError(f"Unknown category '{category}': use one of {', '.join(labels.CATEGORIES)}.")
    height, width = parsing.shape
    scale = min(1.0, long_side / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    small = cv2.resize(parsing, size[::-1], interpolation=cv2.INTER_NEAREST)
    small_pose = pose.scaled(size[1] / width, size[0] / height)
    frame = BodyFrame.from_pose(small_pose)
    region = np.zeros(size, bool)
    if category in ("upper_body", "dresses"):
        region |= _upper_region(small, small_pose, frame)
    if category in ("lower_body", "dresses"):
        region |= _lower_region(small, small_pose, frame)
    large = cv2.resize(region.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
    return large & ~keep_mask(parsing, pose, category)


def keep_mask(parsing: np.ndarray, pose: Pose, category: str) -> np.ndarray:
    """Bool HW: head, hands, shoes and the other garments, which a try-on of ``category`` must not touch."""
    ids = [*_HEAD, labels.ID["glove"], *labels.SHOES]
    if category == "upper_body":
        ids += [labels.ID["pants"], labels.ID["skirt"], *labels.LEGS]
    elif category == "lower_body":
        ids += [*labels.CATEGORIES["upper_body"], labels.ID["torso-skin"], labels.ID["scarf"], *labels.ARMS]
    return labels.select(parsing, tuple(ids)) | hands_mask(parsing, pose)


def hands_mask(parsing: np.ndarray, pose: Pose) -> np.ndarray:
    """Bool HW: the part of the arm labels beyond the wrists."""
    frame = BodyFrame.from_pose(pose)
    arms = labels.select(parsing, labels.ARMS)
    hands = np.zeros(parsing.shape, bool)
    for side in ("left", "right"):
        chain = arm_chain(pose, frame, side)
        if len(chain) < 4:
            continue
        forearm = chain[2] - chain[1]
        forearm = forearm / max(np.linalg.norm(forearm), 1e-6)
        start = chain[2] + 0.03 * frame.breadth * forearm
        around = np.zeros(parsing.shape, np.uint8)
        centre = (chain[2] + chain[3]) / 2
        radius = 0.75 * np.linalg.norm(chain[3] - chain[2]) + 0.1 * frame.breadth
        cv2.circle(around, tuple(int(round(v)) for v in centre), max(1, int(round(radius))), 1, -1)
        ys, xs = np.nonzero(around)
        beyond = (xs - start[0]) * forearm[0] + (ys - start[1]) * forearm[1] > 0
        hands[ys[beyond], xs[beyond]] = True
    return hands & arms


def _thick(points: list[np.ndarray], width: float, size: tuple[int, int]) -> np.ndarray:
    canvas = np.zeros(size, np.uint8)
    line = np.round(np.stack(points)).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(canvas, [line], False, 1, max(1, int(round(width))))
    for x, y in line[:, 0]:
        cv2.circle(canvas, (int(x), int(y)), max(1, int(round(width / 2))), 1, -1)
    return canvas > 0


def _upper_region(parsing: np.ndarray, pose: Pose, frame: BodyFrame) -> np.ndarray:
    size, unit = parsing.shape, frame.breadth
    clothes = labels.select(parsing, (*labels.CATEGORIES["upper_body"], labels.ID["dress"], labels.ID["torso-skin"]))
    region = filters.grow(clothes, 0.07 * unit)
    corners = [frame.place(-0.06, -0.6), frame.place(-0.06, 0.6), frame.place(1.05, 0.6), frame.place(1.05, -0.6)]
    region |= filters.polygon_mask(np.stack(corners), size)
    region |= _thick([frame.place(-0.22, 0), frame.neck], 0.55 * unit, size)
    hands = hands_mask(parsing, pose)  # a ring around what is kept would show
    for side in ("left", "right"):
        chain = arm_chain(pose, frame, side)[:3]
        region |= filters.grow(labels.select(parsing, labels.ARMS) & ~hands, 0.04 * unit)
        if len(chain) > 1:
            region |= _thick(chain, 0.46 * unit, size)
    return region


def _lower_region(parsing: np.ndarray, pose: Pose, frame: BodyFrame) -> np.ndarray:
    size, unit = parsing.shape, frame.breadth
    clothes = labels.select(parsing, (labels.ID["pants"], labels.ID["skirt"], labels.ID["dress"], *labels.LEGS))
    ys = np.mgrid[0 : size[0], 0 : size[1]][0]
    xs = np.mgrid[0 : size[0], 0 : size[1]][1]
    below = ((xs - frame.neck[0]) * frame.down[0] + (ys - frame.neck[1]) * frame.down[1]) / frame.torso > 0.5
    region = filters.grow(clothes, 0.1 * unit)
    hips = [frame.place(0.72, -0.55), frame.place(0.72, 0.55), frame.place(1.2, 0.68), frame.place(1.2, -0.68)]
    region |= filters.polygon_mask(np.stack(hips), size)
    for side in ("left", "right"):
        chain = leg_chain(pose, side)[:3]
        if len(chain) > 1:
            region |= _thick(chain, 0.6 * unit, size)
    points = np.argwhere(region & below)[:, ::-1]
    if len(points) > 3:  # cloth of a skirt hangs between the legs
        hull = cv2.convexHull(points.astype(np.int32))
        region |= filters.polygon_mask(hull.reshape(-1, 2), size)
    return region & below


def agnostic_image(image: Image.Image, mask: np.ndarray) -> Image.Image:
    """The photo with the region painted grey, as VITON-HD's ``agnostic`` files show it."""
    array = np.array(image)
    array[mask] = _GREY
    return Image.fromarray(array)


def agnostic_parsing(parsing: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The label map with the region set to background, as VITON-HD's ``image-parse-agnostic`` files show it."""
    return np.where(mask, 0, parsing).astype(np.uint8)
