"""How far what outside models find is from the truth, and whether flow, parts and outfits fit together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from ...pose import KEYPOINT_NAMES

JOINTS = tuple(f"{side}_{name}" for name in ("shoulder", "elbow", "wrist", "hip") for side in ("right", "left"))
_OTHER_SIDE = {name: name.replace(one, two) for one, two in (("left", "right"), ("right", "left"))
               for name in KEYPOINT_NAMES if one in name}  # fmt: skip
_MIRRORED = [KEYPOINT_NAMES.index(_OTHER_SIDE.get(name, name)) for name in KEYPOINT_NAMES]
# DensePose's parts of the body
_TORSO, _LEFT_ARM, _RIGHT_ARM = (1, 2), (4, 15, 17, 19, 21), (3, 16, 18, 20, 22)
_LEFT_LEG, _RIGHT_LEG = (5, 8, 10, 12, 14), (6, 7, 9, 11, 13)


# Pose -----------------------------------------------------------------------------------------------


def torso(points: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Length of the torso in pixels and unit vectors: down along it, and to the person's left."""
    neck, hips = points[1, :2].astype(float), points[[8, 11], :2].mean(0).astype(float)
    length = float(np.linalg.norm(hips - neck))
    down = (hips - neck) / max(length, 1e-6)
    shoulders = points[5, :2] - points[2, :2].astype(float)
    wide = float(np.linalg.norm(shoulders))
    if wide > 0.2 * length:
        return length, down, shoulders / wide
    across = np.array([down[1], -down[0]])  # seen from the side, the shoulder line tells little
    return length, down, across if across @ shoulders >= 0 else -across


def joint_errors(truth: np.ndarray, found: np.ndarray) -> dict[str, tuple[float, float, float]]:
    """How far found key points are from the true ones that are seen.

    Args:
        truth: (18, 3) float, COCO-18 in pixels; confidence 1 is seen.
        found: (18, 3) or (18, 2), the same points as found.

    Returns:
        name -> (distance, outwards, downwards), each in % of the torso. Of points in the middle of the body,
        outwards is to the person's left.
    """
    length, down, left = torso(truth)
    errors = {}
    for name, point, other in zip(KEYPOINT_NAMES, truth, found, strict=True):
        if point[2] == 1:
            off = (other[:2] - point[:2].astype(float)) / max(length, 1e-6) * 100
            outwards = -1 if name.startswith("right") else 1
            errors[name] = (float(np.hypot(*off)), outwards * float(off @ left), float(off @ down))
    return errors


def mirrored(keypoints: np.ndarray, width: int) -> np.ndarray:
    """The key points (18, 3) of a picture from those of its mirror image, which is ``width`` pixels wide."""
    points = keypoints[_MIRRORED].copy()
    points[:, 0] = width - points[:, 0]
    return points


# Masks and flow -------------------------------------------------------------------------------------


def overlap(guess: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
    """IoU of two masks (H, W), opaque above 127; and what the first has too much and too little, as shares of the
    second."""
    one, two = guess > 127, truth > 127
    size = max(int(two.sum()), 1)
    union = int((one | two).sum())
    return (float((one & two).sum() / union) if union else 1.0,
            float((one & ~two).sum() / size), float((two & ~one).sum() / size))  # fmt: skip


def _pixels(flow: np.ndarray) -> np.ndarray:
    """(H, W, 2) float32 pixel places, the middle of the first pixel being 0, from (2, H, W) flow."""
    size = np.array(flow.shape[:0:-1], np.float32)
    return ((flow.transpose(1, 2, 0) + 1) * size / 2 - 0.5).astype(np.float32)


def sampled_difference(flat: np.ndarray, worn: np.ndarray, flow: np.ndarray, valid: np.ndarray) -> float | None:
    """Mean absolute difference of the flat garment sampled through the flow and the worn one, both without light.

    Args:
        flat, worn: (H, W, 3) uint8 RGB.
        flow: (2, H, W) as ``grid_sample(align_corners=False)`` takes it.
        valid: (H, W) bool.

    Returns:
        Grey levels of 255; None where nothing is valid.
    """
    if not valid.any():
        return None
    place = _pixels(flow)
    shown = cv2.remap(flat, place[..., 0], place[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return float(np.abs(shown[valid].astype(np.float32) - worn[valid]).mean())


def flow_order(flow: np.ndarray, valid: np.ndarray, side: np.ndarray, depth: np.ndarray) -> tuple[float, float]:
    """Orientation and jumps of a flow, as the module's text explains them; (2, H, W), then (H, W) each."""
    place = _pixels(flow)
    right, below = place[:, 1:] - place[:, :-1], place[1:] - place[:-1]
    paired = valid[:, 1:] & valid[:, :-1] & (side[:, 1:] == side[:, :-1])
    stacked = valid[1:] & valid[:-1] & (side[1:] == side[:-1])
    both = paired[:-1] & stacked[:, :-1]
    if not both.any():
        return 1.0, 0.0
    jacobian = right[:-1, :, 0] * below[:, :-1, 1] - right[:-1, :, 1] * below[:, :-1, 0]
    level = paired & (np.abs(depth[:, 1:] - depth[:, :-1]) < 0.15)
    steps = np.linalg.norm(right, axis=-1)[level]
    jumps = float((steps > 6 * np.median(steps)).mean()) if steps.size else 0.0
    return float((jacobian[both] > 0).mean()), jumps


def flow_sides(
    flow: np.ndarray, valid: np.ndarray, parts: np.ndarray, flat_mask: np.ndarray, legs: bool
) -> tuple[int, int]:
    """How many pixels over a left or right arm (leg) lie on that half of the flat garment, and how many there are.

    Args:
        flow, valid: (2, H, W) and (H, W).
        parts: (H, W) DensePose ids of the body under the clothes.
        flat_mask: (H, W) of the flat garment.
        legs: ask the legs, not the arms.
    """
    columns = np.flatnonzero((flat_mask > 127).any(0))
    if not columns.size:
        return 0, 0
    away = _pixels(flow)[..., 0] - (columns[0] + columns[-1]) / 2
    right, total = 0, 0
    for ids, sign in ((_LEFT_LEG if legs else _LEFT_ARM, 1), (_RIGHT_LEG if legs else _RIGHT_ARM, -1)):
        here = valid & np.isin(parts, ids)
        right += int((away[here] * sign > 0).sum())
        total += int(here.sum())
    return right, total


def flow_agreement(flow: np.ndarray, other: np.ndarray, both: np.ndarray, parts: np.ndarray) -> list[float]:
    """What a quadratic map from ``other`` to ``flow`` leaves, RMS in % of the height, for each region of the body.

    Args:
        flow, other: (2, H, W) of the two outfits.
        both: (H, W) bool, pixels to look at.
        parts: (H, W) DensePose ids.
    """
    left = []
    for ids in (_TORSO, _LEFT_ARM, _RIGHT_ARM, _LEFT_LEG, _RIGHT_LEG):
        here = both & np.isin(parts, ids)
        if here.sum() < 200:
            continue
        x, y = (_pixels(other)[here].astype(float) / parts.shape[0]).T
        wanted = _pixels(flow)[here].astype(float) / parts.shape[0]
        terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], 1)
        fit, *_ = np.linalg.lstsq(terms, wanted, rcond=None)
        left.append(float(np.sqrt(((terms @ fit - wanted) ** 2).sum(1).mean()) * 100))
    return left


def consistency(fields: Mapping[str, np.ndarray], garments: Sequence[str]) -> dict[str, Any]:
    """All figures on the flow of one sample; ``garments`` are the kinds of the two."""
    parts = fields["parts"]
    out: dict[str, Any] = defaultdict(list)
    for swap, kind in zip(("", "_swap"), garments, strict=True):
        flow, valid, side = (fields[f"{name}{swap}"] for name in ("flow", "valid", "side"))
        shown = fields[f"garment_mask{swap}"]
        out["valid"].append(float((valid & shown).sum() / max(shown.sum(), 1)))
        # of the other outfit no depth is kept, and without it a sleeve's edge before the trunk looks like a jump
        orientation, jumps = flow_order(flow, valid, side, fields["depth"])
        out["orientation"].append(orientation)
        if not swap:
            out["jumps"].append(jumps)
        if kind in ("top", "dress", "trousers"):
            right, total = flow_sides(flow, valid, parts, fields[f"cloth_mask{swap}"], kind == "trousers")
            if total > 50:
                out["sides"].append(right / total)
        if f"albedo{swap}" in fields:
            flat, worn = fields[f"cloth_albedo{swap}"], fields[f"albedo{swap}"]
            difference = sampled_difference(flat, worn, flow, valid)
            if difference is not None:
                out["difference"].append(difference)
    both = fields["valid"] & fields["valid_swap"]
    same = fields["side"] == fields["side_swap"]
    if both.sum() > 200:
        out["panels"].append(float(same[both].mean()))
        front = both & same & (fields["side"] == 1)
        out["agreement"] += flow_agreement(fields["flow"], fields["flow_swap"], front, parts)
    return dict(out)
