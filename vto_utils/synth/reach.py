"""Hands that have a place: where on the body they go, and the arm that brings them there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from .anatomy import clavicle_turn
from .body import Posed
from .poses import ARM_LIMITS, Arm, PoseSpec, limited, trunk_rotations
from .proportions import Figure
from .turns import MIRROR, about, cross, frame, swing_angles, unit


@dataclass(frozen=True)
class _Place:
    """Where a left hand goes and how it lies there, in the axes of the part that carries it."""

    carrier: str  # bone
    angle: tuple[float, float]  # round the body, degrees: 0 front, 90 own left, 180 back
    level: tuple[float, float]  # 0 hip joints .. 1 base of the neck; on the head 0 chin .. 1 crown
    gap: tuple[float, float]  # dm from the surface to the wrist
    elbow: tuple[float, float, float]  # which way it points
    fingers: tuple[float, float, float]  # which way they point
    palm: tuple[float, float, float]  # which way it faces


PLACES: Mapping[str, _Place] = {
    "hip": _Place("root", (84, 104), (0.2, 0.26), (0.45, 0.55), (1, -0.1, -0.35), (-0.3, -0.7, 0.65), (-1, -0.1, 0.1)),
    "pocket": _Place("root", (72, 84), (0.04, 0.09), (0.05, 0.12), (0.9, 0, -1), (-0.6, -1, -0.3), (-0.9, 0.5, 0)),
    "behind": _Place("root", (148, 168), (0.08, 0.2), (0.3, 0.4), (1, 0, -0.6), (-0.8, -0.7, -0.1), (0, 0, -1)),
    "beside": _Place("root", (108, 126), (0, 0.07), (0.35, 0.5), (0.7, 0, -1), (0, -1, 0), (-0.9, 0, 0.4)),
    "clasped": _Place("root", (4, 14), (0.06, 0.16), (0.5, 0.6), (1, -0.2, -0.5), (-0.6, -0.8, 0.1), (-0.2, 0, -1)),
    "clasped over": _Place("root", (6, 16), (0.1, 0.2), (0.85, 0.95), (1, -0.2, -0.4), (-0.6, -0.8, 0), (-0.2, 0, -1)),
    "front": _Place("spine03", (-25, 40), (0.25, 0.58), (0.5, 0.7), (1, -0.6, -0.2), (-0.9, 0.1, 0.1), (-0.1, 0, -1)),
    "crossed": _Place("spine02", (-20, -8), (0.42, 0.48), (0.45, 0.5), (0.9, -1, -0.2), (-1, 0.25, 0), (0, 0, -1)),
    "crossed over": _Place("spine02", (-22, -12), (0.46, 0.52), (1.1, 1.2), (1, -1, 0.3), (-1, 0.3, -0.3), (0, 0, -1)),
    "shoulder": _Place("spine01", (-30, -12), (0.7, 0.8), (0.5, 0.6), (0.8, -1, 0), (-0.8, 0.6, -0.1), (0, -0.1, -1)),
    "hair": _Place("head", (80, 115), (0.25, 0.55), (0.5, 0.65), (0.8, -1, 0.4), (-0.3, 0.9, -0.4), (-1, 0, 0)),
}  # fmt: skip


def two_bones(
    start: np.ndarray, end: np.ndarray, pole: np.ndarray, lengths: tuple[float, float], bends: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray, float]:
    """Directions of two bones from ``start`` towards ``end``, the joint pointing to ``pole``, and its bend in degrees
    (kept within ``bends``)."""
    one, two = lengths
    aim = end - start
    far = np.linalg.norm(aim)
    cosine = np.clip((far**2 - one**2 - two**2) / (2 * one * two), *np.sort(np.cos(np.radians(bends))))
    far = np.sqrt(one**2 + two**2 + 2 * one * two * cosine)
    aim = unit(aim)
    side = unit(pole - (pole @ aim) * aim)
    inner = (one**2 + far**2 - two**2) / (2 * one * far)
    upper = inner * aim + np.sqrt(max(0.0, 1 - inner**2)) * side
    return upper, (far * aim - one * upper) / two, float(np.degrees(np.arccos(cosine)))


def _reach(arm: Arm, left: bool, figure: Figure, trunk: Posed) -> Arm:
    """Angles that bring the hand to its place on this body, when the trunk is posed."""
    place, flip = PLACES[arm.kind], np.eye(3) if left else MIRROR
    bone = figure.body.bone
    target = figure.surface(place.carrier, *arm.place)
    carrier, chest = bone[place.carrier], bone["spine01"]
    carried = trunk.rotation[carrier] @ (flip @ target) + trunk.shift[carrier]
    into_chest = flip @ trunk.rotation[chest].T
    target = into_chest @ (carried - trunk.shift[chest])
    turned = flip @ trunk.rotation[chest].T @ trunk.rotation[carrier] @ flip  # directions of the carrier in the chest
    rest = figure.anatomy
    clavicle, shoulder = figure.joint("clavicle.L"), figure.joint("upperarm01.L")
    upper = unit(target - shoulder)
    for _ in range(3):
        start = clavicle + clavicle_turn(upper) @ (shoulder - clavicle)
        upper, fore, bend = two_bones(start, target, np.array(place.elbow), rest.arm_length, ARM_LIMITS["elbow"])
    whole = frame(upper, cross(upper, fore)) @ rest.arm.T
    abduction, flexion, turn = swing_angles(whole @ rest.arm_hang.T)
    forearm = whole @ about(rest.arm[:, 1], bend - rest.arm_bend)
    wanted = turned @ frame(np.array(place.fingers), np.array(place.palm))
    hand = rest.hand.T @ forearm.T @ wanted
    return limited(
        replace(
            arm,
            abduction=abduction,
            flexion=flexion,
            turn=-turn,
            elbow=bend,
            pronation=float(np.degrees(np.arctan2(hand[2, 1], hand[1, 1]))),
            wrist_flexion=float(-np.degrees(np.arcsin(np.clip(hand[0, 1], -1, 1)))),
            wrist_deviation=float(np.degrees(np.arctan2(hand[0, 2], hand[0, 0]))),
        )
    )


def hands_placed(spec: PoseSpec, figure: Figure) -> PoseSpec:
    """The pose with the hands that have a place brought there on this body."""
    if spec.left_arm.place is None and spec.right_arm.place is None:
        return spec
    trunk = figure.body.pose(figure.nodes, trunk_rotations(spec))
    arms = {
        name: _reach(getattr(spec, name), name == "left_arm", figure, trunk)
        for name in ("left_arm", "right_arm")
        if getattr(spec, name).place is not None
    }
    return replace(spec, **arms)
