"""What models get wrong about a person, drawn at random: borders, masks, key points, and how a head is held."""

from __future__ import annotations

import cv2
import numpy as np

from .. import labels

_HEAD = tuple(labels.ID[name] for name in ("hat", "hair", "sunglasses", "face"))
_NECK, _SHOULDERS, _HIPS = 1, (2, 5), (8, 11)  # COCO-18
_HEAD_POINTS = (0, 14, 15, 16, 17)


def wandering_borders(parse: np.ndarray, reach: float, rng: np.random.Generator) -> np.ndarray:
    """Labels read at places that wander smoothly by some ``reach`` pixels, as a parser's borders do."""
    height, width = parse.shape
    grid = (max(2, height // 16), max(2, width // 16))
    shift = rng.normal(0, max(reach, 0), (*grid, 2)).astype(np.float32)
    if reach <= 0:
        return parse
    shift = cv2.resize(shift, (width, height), interpolation=cv2.INTER_LINEAR)
    x = np.arange(width, dtype=np.float32)[None] + shift[..., 0]
    y = np.arange(height, dtype=np.float32)[:, None] + shift[..., 1]
    return cv2.remap(parse, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)


def jittered_mask(mask: np.ndarray, grow: float, shrink: float, rng: np.random.Generator) -> np.ndarray:
    """A bool mask made larger by up to ``grow`` pixels, or smaller by up to ``shrink``, the same all around."""
    amount = rng.uniform(-shrink, grow)
    if abs(amount) < 0.5:
        return mask
    if amount > 0:
        return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3) <= amount
    return cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3) > -amount


def jittered_points(points: np.ndarray, sigma: float, all_known: bool, rng: np.random.Generator) -> np.ndarray:
    noise = rng.normal(0, sigma, (18, 2)).astype(np.float32)
    known = (points[:, 2:] > 0) | all_known
    points = points.copy()
    points[:, :2] += np.where(known, noise, 0)
    return points


def other_convention(points: np.ndarray, amount: float, all_known: bool, rng: np.random.Generator) -> np.ndarray:
    """Key points as another model places them: shoulders and hips nearer together or farther apart, higher or lower.

    Args:
        points: (18, 3) x, y in pixels, confidence.
        amount: standard deviation of both changes, as a share of half the breadth.
        all_known: places are right whatever the confidence says.
    """
    if amount <= 0:
        return points
    points = points.copy()
    for pair in (_SHOULDERS, _HIPS):
        wider, lower = rng.normal(0, amount, 2)
        pair = list(pair)
        if not (all_known or (points[pair, 2] > 0).all()):
            continue
        half = (points[pair[1], :2] - points[pair[0], :2]) / 2
        down = np.array([0, np.hypot(*half)], np.float32)
        points[pair[0], :2] += -wider * half + lower * down
        points[pair[1], :2] += wider * half + lower * down
    if all_known or (points[list(_SHOULDERS), 2] > 0).all():
        points[_NECK, :2] = points[list(_SHOULDERS), :2].mean(0)
    return points


def turned_head(
    parse: np.ndarray, points: np.ndarray, degrees: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Labels and key points of a head that is tilted, aside and of another size: it does not tell how the body stands.

    Drawn people hold their heads and hair more evenly than people do. Where the head was, the labels of its
    surroundings go on.

    Args:
        parse: (H, W) uint8 CIHP-20 ids.
        points: (18, 3) x, y in pixels, confidence.
        degrees: standard deviation of the tilt; the size varies by as many hundredths, the place by as many
            five-hundredths of the face's height.
    """
    head = np.isin(parse, _HEAD)
    if degrees <= 0 or head.sum() < 20:
        return parse, points
    face = parse == labels.ID["face"]
    ys, xs = np.nonzero(face if face.any() else head)  # hair may hang down to the waist
    tall = float(np.ptp(ys) + 1)
    tilt, size, right, down = rng.normal(0, degrees, 4) * (1, 0.01, 0.002 * tall, 0.002 * tall)
    chin = (float(xs.mean()), float(ys.max()))
    matrix = cv2.getRotationMatrix2D(chin, float(np.clip(tilt, -45, 45)), float(np.clip(1 + size, 0.6, 1.5)))
    matrix[:, 2] += (right, down)
    flags = {"flags": cv2.INTER_NEAREST, "borderMode": cv2.BORDER_CONSTANT, "borderValue": 0}
    moved = cv2.warpAffine(np.where(head, parse, 0), matrix, parse.shape[::-1], **flags)
    bare = np.where(head, 0, parse)
    hole = cv2.dilate(np.where(head, 0, parse), np.ones((3, 3), np.uint8))  # a thin seam of what lies beside it
    result = np.where(np.isin(moved, _HEAD), moved, np.where(head, hole, bare)).astype(parse.dtype)
    turned = points.copy()
    heads = list(_HEAD_POINTS)
    turned[heads, :2] = points[heads, :2] @ matrix[:, :2].T.astype(np.float32) + matrix[:, 2].astype(np.float32)
    return result, turned
