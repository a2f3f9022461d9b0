"""Poses: told as anatomical angles, turned into bone rotations.

Convention:
    Angles in degrees, the same sign on both sides of the body: a right arm with a left arm's angles mirrors it.
    An arm with all angles 0 hangs straight down, the palm towards the thigh; a leg with all angles 0 stands straight.
    Arms are told in the axes of the chest, legs in those of the pelvis, the head in those of the chest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from .anatomy import average_anatomy, clavicle_turn
from .turns import MIRROR, X, Y, Z, about, swung, twist_about


@dataclass(frozen=True)
class Arm:
    """One arm. What it does is ``kind``; the angles say how."""

    kind: str = "down"
    abduction: float = 8.0  # to the side
    flexion: float = 0.0  # to the front
    turn: float = 15.0  # of the upper arm about itself, inwards
    elbow: float = 15.0  # 0 straight
    pronation: float = 10.0  # thumb inwards, palm to the back
    wrist_flexion: float = 0.0  # towards the palm
    wrist_deviation: float = 0.0  # towards the thumb
    curl: float = 20.0  # of each finger joint
    place: tuple[float, float, float] | None = None  # where on the body the hand goes, see `reach.PLACES`


@dataclass(frozen=True)
class Leg:
    """One leg; the foot is flat on the floor unless ``heel`` lifts it."""

    abduction: float = 0.0  # to the side
    flexion: float = 0.0  # to the front
    turn: float = 0.0  # outwards
    knee: float = 0.0  # 0 straight
    toes: float = 8.0  # direction of the foot, outwards
    heel: float = 0.0  # foot pointed down, toes up if negative


@dataclass(frozen=True)
class PoseSpec:
    """A whole pose; `dataclasses.asdict` makes it JSON."""

    yaw: float = 0.0  # of the whole person, to the own left
    stance: str = "straight"  # straight, contrapposto or step
    pelvis: float = 0.0  # tilt: left hip up
    lean: float = 0.0  # chest to the own right
    bend: float = 0.0  # chest forwards
    twist: float = 0.0  # chest to the own left
    head_yaw: float = 0.0  # to the own left
    head_pitch: float = 0.0  # downwards
    head_tilt: float = 0.0  # to the own right
    left_arm: Arm = Arm()
    right_arm: Arm = Arm()
    left_leg: Leg = Leg()
    right_leg: Leg = Leg()


#: Joint limits in degrees, (least, most): what a dressed, standing person does without effort.
ARM_LIMITS: Mapping[str, tuple[float, float]] = {
    "abduction": (-30, 115), "flexion": (-50, 120), "turn": (-60, 95), "elbow": (2, 145), "pronation": (-75, 80),
    "wrist_flexion": (-55, 60), "wrist_deviation": (-32, 25), "curl": (0, 60),
}  # fmt: skip
LEG_LIMITS: Mapping[str, tuple[float, float]] = {
    "abduction": (-15, 25), "flexion": (-25, 45), "turn": (-15, 30), "knee": (0, 60), "toes": (-10, 35),
    "heel": (-20, 45),
}  # fmt: skip
TRUNK_LIMITS: Mapping[str, tuple[float, float]] = {
    "yaw": (-40, 40), "pelvis": (-8, 8), "lean": (-12, 12), "bend": (-8, 12), "twist": (-18, 18),
    "head_yaw": (-50, 50), "head_pitch": (-20, 25), "head_tilt": (-18, 18),
}  # fmt: skip

_SPINE = {"spine05": 0.2, "spine04": 0.2, "spine03": 0.2, "spine02": 0.25, "spine01": 0.15}
_NECK = {"neck01": 0.2, "neck02": 0.25, "neck03": 0.25, "head": 0.3}


def _arm_rotations(arm: Arm) -> dict[str, np.ndarray]:
    """Rotations of a left arm's bones."""
    rest = average_anatomy()
    whole = swung(arm.abduction, arm.flexion, -arm.turn) @ rest.arm_hang
    bone, hinge = rest.arm[:, 0], rest.arm[:, 1]
    clavicle = clavicle_turn(whole @ bone)
    upper = clavicle.T @ whole
    half = about(bone, twist_about(upper, bone) / 2)  # shoulder and upper arm share the turn
    fore, palm, across = rest.hand.T
    third = about(fore, arm.pronation / 3)  # a third each: a twist in one place would wring the forearm
    hand = about(across, arm.wrist_flexion) @ about(palm, arm.wrist_deviation)
    turns = {
        "clavicle": clavicle,
        "upperarm01": upper @ half.T,
        "upperarm02": half,
        "lowerarm01": about(hinge, arm.elbow - rest.arm_bend) @ third,
        "lowerarm02": third,
        "wrist": third @ hand,
    }
    for name, axis in rest.fingers.items():
        finger, joint = int(name[6]), int(name[8])
        share = (0.35, 0.25, 0.3)[joint - 1] if finger == 1 else (0.9, 1.15, 0.75)[joint - 1] * (0.7 + 0.1 * finger)
        turns[name] = about(axis, (arm.curl - 8) * share)
    turns["finger1-1"] = about(rest.thumb, 18) @ turns["finger1-1"]  # the rest pose stretches it out
    return turns


def _leg_rotations(leg: Leg, pelvis: np.ndarray) -> dict[str, np.ndarray]:
    """Rotations of a left leg's bones; ``pelvis`` is the pelvis' rotation but for the person's yaw."""
    rest = average_anatomy()
    thigh = swung(leg.abduction, leg.flexion, leg.turn) @ rest.leg_hang
    shin = about(rest.knee, leg.knee - rest.leg_bend)
    flat = about(Y, leg.toes) @ about(X, leg.heel)
    return {"upperleg01": thigh, "lowerleg01": shin, "foot": (pelvis @ thigh @ shin).T @ flat}


def trunk_rotations(spec: PoseSpec) -> dict[str, np.ndarray]:
    """Of the bones from the root to the head."""
    turns = {"root": about(Y, spec.yaw) @ about(Z, spec.pelvis)}
    for bone, share in _SPINE.items():
        turns[bone] = about(Y, spec.twist * share) @ about(X, spec.bend * share) @ about(Z, spec.lean * share)
    for bone, share in _NECK.items():
        turns[bone] = (
            about(Y, spec.head_yaw * share) @ about(X, spec.head_pitch * share) @ about(Z, spec.head_tilt * share)
        )
    return turns


def rotations(spec: PoseSpec) -> dict[str, np.ndarray]:
    """Bone -> (3, 3) float64, as `body.Body.pose` takes it."""
    turns = trunk_rotations(spec)
    pelvis = about(Z, spec.pelvis)
    left = {**_arm_rotations(spec.left_arm), **_leg_rotations(spec.left_leg, pelvis)}
    right = {**_arm_rotations(spec.right_arm), **_leg_rotations(spec.right_leg, MIRROR @ pelvis @ MIRROR)}
    turns.update({f"{name}.L": turn for name, turn in left.items()})
    turns.update({f"{name}.R": MIRROR @ turn @ MIRROR for name, turn in right.items()})
    return turns


def mirrored(spec: PoseSpec) -> PoseSpec:
    """The same pose seen in a mirror."""
    return replace(
        spec,
        yaw=-spec.yaw,
        pelvis=-spec.pelvis,
        lean=-spec.lean,
        twist=-spec.twist,
        head_yaw=-spec.head_yaw,
        head_tilt=-spec.head_tilt,
        left_arm=spec.right_arm,
        right_arm=spec.left_arm,
        left_leg=spec.right_leg,
        right_leg=spec.left_leg,
    )


def limited(arm: Arm) -> Arm:
    """The arm with every angle within `ARM_LIMITS`."""
    return replace(arm, **{name: float(np.clip(getattr(arm, name), *limit)) for name, limit in ARM_LIMITS.items()})
