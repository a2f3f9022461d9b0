"""Human parsing by rules, the baseline of the learned one: which pixel is hair, skin, upper or lower garment.

This parser needs no weights. It weighs, for every pixel, where the pose says a class should be against the
colours seen in places that surely belong to the class, and lets the edges of the photo decide the borders
(cost-volume filtering, Hosni et al., CVPR 2011).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from .. import filters, labels
from ..body import BodyFrame, arm_chain, capsule, leg_chain
from ..pose import Pose
from .colours import colour_bins, histogram
from .enlargement import enlarge_labels
from .sides import limb_distance

_CLASSES = ("background", "hair", "skin", "upper", "lower", "shoes")


@dataclass(frozen=True)
class _Limbs:
    """Distance maps (in radii) of arms, hands and legs; the person's left and right."""

    arms: tuple[np.ndarray, np.ndarray]
    legs: tuple[np.ndarray, np.ndarray]
    feet: np.ndarray


def _limbs(pose: Pose, frame: BodyFrame, size: tuple[int, int]) -> _Limbs:
    unit = frame.breadth
    arms, legs, feet = [], [], np.full(size, 99.0, np.float32)
    arm_radii, leg_radii = [r * unit for r in (0.2, 0.155, 0.12, 0.13)], [r * unit for r in (0.33, 0.22, 0.15)]
    for side in ("left", "right"):
        arms.append(limb_distance(arm_chain(pose, frame, side), arm_radii, size))
        chain = leg_chain(pose, side)
        legs.append(limb_distance(chain[:3], leg_radii, size))
        if len(chain) == 4:
            feet = np.minimum(
                feet, capsule(chain[2] + (chain[3] - chain[2]) * 0.4, chain[3], (0.15 * unit, 0.17 * unit), size)
            )
    return _Limbs(tuple(arms), tuple(legs), feet)


def _ramp(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below ``low``, 1 above ``high``, smooth between (either order)."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


class RuleParser:
    """Labels a person's pixels by rules; needs no weights.

    Args:
        long_side: the photo is parsed at this many pixels on its longer side; the borders are then
            followed at the photo's own size.
    """

    def __init__(self, long_side: int = 512) -> None:
        self.long_side = long_side

    def parse(self, image: Image.Image | np.ndarray, mask: np.ndarray, pose: Pose) -> np.ndarray:
        """Label every pixel.

        Args:
            image: RGB photo.
            mask: uint8 HW person mask of the same size, 255 = person; soft edges are welcome.
            pose: key points in pixels of the photo.

        Returns:
            uint8 HW of CIHP-20 ids (:mod:`vto_utils.labels`), the photo's size.

        Raises:
            NoPersonError: the shoulders are not visible.
            ValueError: mask and photo differ in size.
        """
        array = np.asarray(image)
        if mask.shape != array.shape[:2]:
            raise ValueError(f"mask is {mask.shape}, photo is {array.shape[:2]}; they must have the same size")
        height, width = mask.shape
        scale = min(1.0, self.long_side / max(height, width))
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        small = cv2.resize(array, size[::-1], interpolation=cv2.INTER_AREA)
        alpha = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        small_pose = pose.scaled(size[1] / width, size[0] / height)
        parsing = self._parse(small, alpha, small_pose)
        return enlarge_labels(parsing, array, mask)

    def _parse(self, image: np.ndarray, alpha: np.ndarray, pose: Pose) -> np.ndarray:
        size = alpha.shape
        frame = BodyFrame.from_pose(pose)
        limbs = _limbs(pose, frame, size)
        guide = image.astype(np.float32) / 255
        bins = colour_bins(guide)

        prior, seeds = _priors(frame, limbs, alpha)
        seeds = _without_skin(seeds, bins)
        follow = filters.GuidedFilter(guide, max(2, round(frame.breadth * 0.04)), 4e-4)
        person = alpha > 0.5
        label = None
        alike = {pair: _likeness(bins, seeds, *pair) for pair in (("upper", "lower"), ("upper", "hair"))}
        if alike["upper", "hair"] > 0.5:  # hair on a top of its own colour cannot be told from it below the chin
            below = frame.coordinates(size)[0] > -0.3
            prior["hair"] = np.where(below, 0.2 * prior["hair"], prior["hair"])
        # Where top and trousers have the same colours, colour must not draw the border: the pose does.
        blend = float(np.clip((alike["upper", "lower"] - 0.75) / 0.15, 0, 1))
        for _ in range(3):
            cost = np.empty((len(_CLASSES), *size), np.float32)
            models = {}
            for number, name in enumerate(_CLASSES):
                sure = seeds[name].astype(np.float64)
                if label is not None and name != "background":
                    # Once there is a labelling the first guess only steadies it.
                    sure = 0.1 * sure + ((label == number) & (prior[name] > 0.25))
                models[name] = histogram(bins, sure)
            mean = (models["upper"] + models["lower"]) / 2
            for name in ("upper", "lower"):
                models[name] = models[name] + blend * (mean - models[name])
            evidence = sum(models[name] for name in _CLASSES[1:])
            for number, name in enumerate(_CLASSES):
                colour = np.log(models[name] / evidence)[bins] if name != "background" else 0.0
                colour_weight = 0.8
                cost[number] = -np.log(prior[name] + 1e-4) - colour_weight * colour
            cost = np.minimum(cost, 12)
            label = np.stack([follow(layer) for layer in cost]).argmin(0)
        label = _below_the_waist(label, *frame.coordinates(size), np.minimum(*limbs.arms))
        return _to_cihp(label, frame, limbs, pose, person, bins)


def _likeness(bins: np.ndarray, seeds: dict[str, np.ndarray], one: str, other: str) -> float:
    """Bhattacharyya coefficient of two classes' colours: 0 = nothing in common, 1 = the same."""
    a, b = (histogram(bins, seeds[name].astype(np.float64)) for name in (one, other))
    return float(np.sqrt(a * b).sum() / np.sqrt(a.sum() * b.sum())) if seeds[one].any() and seeds[other].any() else 0.0


def _without_skin(seeds: dict[str, np.ndarray], bins: np.ndarray) -> dict[str, np.ndarray]:
    """Take skin out of the places that should show cloth (bare belly, bare legs), unless nothing else is left."""
    skin = histogram(bins, seeds["skin"].astype(np.float64))[bins] > 2e-3
    cleaned = dict(seeds)
    for name in ("upper", "lower"):
        cloth = seeds[name] & ~skin
        if cloth.sum() > 0.15 * seeds[name].sum():
            cleaned[name] = cloth
    return cleaned


def _priors(frame: BodyFrame, limbs: _Limbs, alpha: np.ndarray) -> tuple[dict, dict]:
    """Per class: how likely each place is (float32 HW), and places that surely belong to it (bool HW)."""
    height, width = alpha.shape
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    along, aside = frame.coordinates((height, width))

    up = (frame.eyes - frame.mouth) / frame.face
    right = np.array([-up[1], up[0]])
    fx, fy = xs - frame.eyes[0], ys - frame.eyes[1]
    head_v = (fx * up[0] + fy * up[1]) / frame.face  # in eye-mouth distances above the eyes
    head_u = (fx * right[0] + fy * right[1]) / frame.face
    face = np.hypot(head_u / 1.02, (head_v + 0.42) / np.where(head_v > -0.42, 1.35, 1.4))
    head = np.hypot(head_u / 1.9, (head_v + 0.1) / 2.3)

    arm = np.minimum(*limbs.arms)
    leg = np.minimum(*limbs.legs)
    torso = _ramp(np.abs(aside), 0.72, 0.5) * _ramp(along, -0.25, -0.08)
    below_chin = _ramp(head_v, -1.5, -1.9)
    neck = _ramp(np.abs(aside), 0.34, 0.2) * below_chin * _ramp(along, 0.28, 0.05)
    body = alpha

    skin = np.maximum.reduce([
        0.9 * _ramp(face, 1.12, 0.9),
        0.75 * neck,
        0.55 * _ramp(arm, 1.25, 0.8),
        0.5 * _ramp(leg, 1.25, 0.8) * _ramp(along, 1.05, 1.3),
        0.12 * torso,
        np.full_like(torso, 0.03),  # a limb may lie beside where the pose has it: its colour tells then
    ])  # fmt: skip
    beside_face = _ramp(np.abs(head_u), 0.75, 1.15) * _ramp(np.abs(head_u), 2.3, 1.5)
    hanging = beside_face * _ramp(head_v, -7.5, -2.5)
    crown = _ramp(head, 1.25, 0.95) * np.maximum(_ramp(head_v, -0.1, 0.8), _ramp(face, 0.9, 1.1))
    hair = np.maximum(0.9 * crown * (head_v > -1.9), 0.4 * hanging * (head_v < 0.8))
    hair = hair * (1 - 0.95 * _ramp(face, 1.0, 0.8) * (head_v < 0.6))
    upper = np.maximum(
        0.85 * torso * _ramp(along, 1.25, 0.85) * (0.1 + 0.9 * below_chin),
        0.45 * _ramp(arm, 1.6, 0.9) * below_chin,
    )
    upper = np.maximum(upper, 0.05 * below_chin * (along < 1.6))
    lower = np.maximum(0.8 * _ramp(leg, 1.7, 1.0), 0.6 * _ramp(np.abs(aside), 0.9, 0.6)) * _ramp(along, 0.45, 1.0)
    lower = lower * (1 - 0.85 * _ramp(arm, 1.2, 0.9))
    shoes = 0.85 * _ramp(limbs.feet, 1.5, 1.0)
    lower = lower * (1 - 0.8 * shoes)
    prior = {
        "background": np.clip(1 - body, 0, 1),
        "hair": hair * body,
        "skin": skin * body,
        "upper": upper * body,
        "lower": lower * body,
        "shoes": shoes * body,
    }
    inside = alpha > 0.9
    seeds = {
        "background": alpha < 0.1,
        "skin": (np.abs(head_u) < 0.62) & (head_v < -0.2) & (head_v > -0.95) & inside,
        "hair": (head_v > 1.35) & (head < 1.0) & inside,
        "upper": (np.abs(aside) < 0.3) & (along > 0.2) & (along < 0.45) & inside,
        "lower": (
            ((leg < 0.6) & (along > 1.08) & (along < 1.6)) | ((np.abs(aside) < 0.3) & (along > 1.0) & (along < 1.15))
        )
        & inside,
        "shoes": (limbs.feet < 0.6) & inside,
    }
    thighs = seeds["lower"] & (along > 1.25)
    if thighs.sum() > 0.3 * seeds["lower"].sum():  # above them a long top may hang
        seeds["lower"] = thighs
    seeds["upper"] &= arm > 1.0  # a forearm held in front of the belly is not cloth
    return {name: layer.astype(np.float32) for name, layer in prior.items()}, seeds


def _below_the_waist(label: np.ndarray, along: np.ndarray, aside: np.ndarray, arm: np.ndarray) -> np.ndarray:
    """Mend a printed skirt or trousers whose print shares colours with the top: below its waist all is one garment."""
    upper, lower = _CLASSES.index("upper"), _CLASSES.index("lower")
    core = (np.abs(aside) < 0.3) & (along > 0.3) & (along < 2.0) & np.isin(label, (upper, lower))
    rows = np.clip(((along[core] - 0.3) / 0.05).astype(int), 0, 33)
    total = np.bincount(rows, minlength=34) + 1e-6
    share = np.bincount(rows, label[core] == lower, minlength=34) / total
    seen = total > 0.1 * total.max()
    for row in range(28):
        window = slice(row, row + 6)
        if seen[window].all() and (share[window] > 0.3).all():
            rest = share[row + 3 : row + 10][seen[row + 3 : row + 10]]
            # A curved hem ends soon; a print goes on being half the one and half the other.
            if rest.size >= 4 and np.mean(rest < 0.92) > 0.7:
                waist = 0.3 + 0.05 * row
                region = (along > waist) & (np.abs(aside) < 0.75) & (arm > 0.9)
                return np.where(region & (label == upper), lower, label)
            break
    return label


def _to_cihp(
    label: np.ndarray, frame: BodyFrame, limbs: _Limbs, pose: Pose, person: np.ndarray, bins: np.ndarray
) -> np.ndarray:
    """Split skin by body part, name the lower garment, drop specks."""
    height, width = label.shape
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    along, aside = frame.coordinates((height, width))
    up = (frame.eyes - frame.mouth) / frame.face
    head_v = ((xs - frame.eyes[0]) * up[0] + (ys - frame.eyes[1]) * up[1]) / frame.face

    names = {name: number for number, name in enumerate(_CLASSES)}
    for name in ("upper", "lower", "hair", "skin", "shoes"):
        label = _drop_specks(label, names[name], names, minimum=0.0012 * (frame.breadth * frame.torso))
    parsing = np.zeros(label.shape, np.uint8)
    parsing[label == names["hair"]] = labels.ID["hair"]
    parsing[label == names["upper"]] = labels.ID["upper-clothes"]
    skin = label == names["skin"]
    left_arm, right_arm = limbs.arms
    left_leg, right_leg = limbs.legs
    parsing[skin] = labels.ID["torso-skin"]
    face = skin & (head_v > -1.5)
    parsing[face] = labels.ID["face"]
    arm = skin & ~face & (np.minimum(left_arm, right_arm) < 1.6)
    throat = arm & (np.abs(aside) < 0.36) & (along < 0.35) & (np.minimum(left_arm, right_arm) > 0.8)
    _, pieces = cv2.connectedComponents(throat.astype(np.uint8), connectivity=4)
    arm &= ~(throat & np.isin(pieces, np.unique(pieces[throat & (along < -0.05)])))
    parsing[arm & (left_arm <= right_arm)] = labels.ID["left-arm"]
    parsing[arm & (left_arm > right_arm)] = labels.ID["right-arm"]
    leg = skin & ~arm & (along > 1.0)
    parsing[leg & (left_leg <= right_leg)] = labels.ID["left-leg"]
    parsing[leg & (left_leg > right_leg)] = labels.ID["right-leg"]
    lower = label == names["lower"]
    parsing[lower] = _lower_name(lower, leg, pose, frame)
    shoes = label == names["shoes"]
    parsing[shoes & (left_leg <= right_leg)] = labels.ID["left-shoe"]
    parsing[shoes & (left_leg > right_leg)] = labels.ID["right-shoe"]
    if _is_dress(label == names["upper"], lower, leg, bins, frame, along):
        parsing[np.isin(label, (names["upper"], names["lower"]))] = labels.ID["dress"]
    parsing[~person] = 0
    return parsing


def _drop_specks(label: np.ndarray, number: int, names: dict[str, int], minimum: float) -> np.ndarray:
    """Give small islands of one class to the class that surrounds them most."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats((label == number).astype(np.uint8), connectivity=4)
    label = label.copy()
    for piece in range(1, count):
        if stats[piece, cv2.CC_STAT_AREA] < minimum:
            x, y, w, h = stats[piece, :4]
            window = np.s_[max(y - 2, 0) : y + h + 2, max(x - 2, 0) : x + w + 2]
            inside = pieces[window] == piece
            ring = filters.grow(inside, 2) & ~inside
            around = np.bincount(label[window][ring], minlength=len(names))
            around[number] = 0
            label[window][inside] = int(around.argmax())
    return label


def _lower_name(lower: np.ndarray, leg: np.ndarray, pose: Pose, frame: BodyFrame) -> int:
    """Skirt when cloth spans the gap between the thighs, otherwise pants."""
    chains = [leg_chain(pose, side) for side in ("left", "right")]
    if min(len(chain) for chain in chains) < 2:
        return labels.ID["pants"]
    hits = []
    for t in (0.45, 0.6, 0.75):
        ends = [chain[0] + t * (chain[1] - chain[0]) for chain in chains]
        if np.linalg.norm(ends[0] - ends[1]) < 0.1 * frame.breadth:
            continue
        x, y = np.round((ends[0] + ends[1]) / 2).astype(int)
        if 0 <= y < lower.shape[0] and 0 <= x < lower.shape[1]:
            hits.append(bool(lower[y, x]))
    rows = np.flatnonzero(lower.any(1))
    bare_below = leg.any() and rows.size and np.flatnonzero(leg.any(1)).max() > rows.max()
    return labels.ID["skirt"] if bare_below and hits and all(hits[:2]) else labels.ID["pants"]


def _is_dress(
    upper: np.ndarray, lower: np.ndarray, leg: np.ndarray, bins: np.ndarray, frame: BodyFrame, along: np.ndarray
) -> bool:
    """One garment from chest to thigh: same colours above and below the waist, and bare legs under it."""
    above, below = upper & (along < 0.8), (lower | upper) & (along > 1.05)
    area = frame.breadth * frame.torso
    if min(above.sum(), below.sum()) < 0.04 * area or (leg & (along > 1.2)).sum() < 0.05 * area:
        return False
    a, b = (histogram(bins, m.astype(np.float64)) for m in (above, below))
    return bool(np.minimum(a / a.sum(), b / b.sum()).sum() > 0.6)
