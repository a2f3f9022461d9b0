"""Bones and hinges of arms and legs, as the joints of a body in its rest pose tell them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from .body import Body, Shape, load_body
from .turns import X, Y, Z, about, cross, frame, unit

_CLAVICLE_SHARE = 0.26  # of the arm's lift


@dataclass(frozen=True)
class Anatomy:
    """Axes of the left side in the rest pose, from the joints."""

    arm: np.ndarray  # frame of the upper arm: bone, elbow hinge
    arm_length: tuple[float, float]
    arm_hang: np.ndarray  # turns the arm from the rest pose to hanging
    arm_bend: float  # degrees of elbow flexion in the rest pose
    hand: np.ndarray  # columns: forearm, palm's normal, hinge of wrist flexion
    fingers: dict[str, np.ndarray]  # bone -> hinge
    thumb: np.ndarray  # axis that lays the thumb against the hand
    leg_length: tuple[float, float]
    leg_hang: np.ndarray
    leg_bend: float
    knee: np.ndarray  # hinge
    lift: float  # degrees from hanging of the upper arm


def anatomy_of(body: Body, nodes: np.ndarray) -> Anatomy:
    """The anatomy of a body; ``nodes`` are its own, of `body.Body.nodes`."""
    heads = nodes[body.count :].astype(np.float64)

    def at(name: str) -> np.ndarray:
        return heads[body.bone[f"{name}.L"]]

    upper, fore = at("lowerarm01") - at("upperarm01"), at("wrist") - at("lowerarm01")
    arm = frame(upper, cross(upper, fore))
    bend = np.degrees(np.arccos(unit(upper) @ unit(fore)))
    across = at("finger2-1") - at("finger5-1")
    palm = cross(at("finger3-1") - at("wrist"), across)
    hand = frame(fore, palm)
    fingers = {}
    for finger in range(1, 6):
        for joint in (1, 2, 3):
            ends = (joint, joint + 1) if joint < 3 else (2, 3)
            along = at(f"finger{finger}-{ends[1]}") - at(f"finger{finger}-{ends[0]}")
            fingers[f"finger{finger}-{joint}"] = unit(cross(along, hand[:, 1]))
    thigh, shin = at("lowerleg01") - at("upperleg01"), at("foot") - at("lowerleg01")
    leg = frame(thigh, X)
    return Anatomy(
        arm=arm,
        arm_length=(float(np.linalg.norm(upper)), float(np.linalg.norm(fore))),
        arm_hang=frame(-Y, -X) @ arm.T,
        arm_bend=float(bend),
        hand=hand,
        fingers=fingers,
        thumb=unit(cross(at("finger1-3") - at("finger1-1"), at("finger2-1") - at("wrist"))),
        leg_length=(float(np.linalg.norm(thigh)), float(np.linalg.norm(shin))),
        leg_hang=frame(-Y, X) @ leg.T,
        leg_bend=float(np.degrees(np.arcsin(cross(unit(thigh), unit(shin)) @ leg[:, 1]))),
        knee=leg[:, 1],
        lift=float(np.degrees(np.arccos(-arm[1, 0]))),
    )


@cache
def average_anatomy() -> Anatomy:
    """Of a body of average shape."""
    body = load_body()
    return anatomy_of(body, body.nodes(Shape()))


def clavicle_turn(upper: np.ndarray) -> np.ndarray:
    """Rotation of the left clavicle for an upper arm's direction: it takes part in lifting and reaching."""
    lift = np.degrees(np.arccos(np.clip(-upper[1], -1, 1))) - average_anatomy().lift
    reach = np.degrees(np.arcsin(np.clip(upper[2], -1, 1)))
    return about(Y, np.clip(-0.12 * reach, -10, 8)) @ about(Z, np.clip(_CLAVICLE_SHARE * lift, -12, 16))
