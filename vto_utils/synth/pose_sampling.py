"""Poses of people in fashion catalogues, drawn at random and made to fit a body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from .anatomy import average_anatomy
from .body import Body, Posed
from .contact import freed
from .poses import ARM_LIMITS, LEG_LIMITS, TRUNK_LIMITS, Arm, Leg, PoseSpec, limited, mirrored
from .proportions import Figure, average_figure
from .reach import PLACES, hands_placed, two_bones
from .turns import MIRROR, X, Y, Z, about, cross, frame, swing_angles

#: How often an arm does what, relative to each other.
ARM_KINDS: Mapping[str, float] = {
    "down": 0.51, "bent": 0.11, "hip": 0.11, "out": 0.055, "behind": 0.035, "beside": 0.02, "pocket": 0.06,
    "crossed": 0.03, "clasped": 0.03, "front": 0.04, "hair": 0.015, "shoulder": 0.015,
}  # fmt: skip
_BOTH = ("crossed", "clasped")  # kinds that take two arms; one of them lies over the other
_ONE = ("front", "shoulder", "hair")  # kinds for one arm only

_AMPLITUDES = (1.0, 1.0, 0.7, 0.5)  # of the tries of `draw_pose`

_ANGLES: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "down": {
        "abduction": (4, 13), "flexion": (-8, 8), "turn": (2, 24), "elbow": (8, 28), "pronation": (-25, 10),
        "wrist_flexion": (-5, 12), "wrist_deviation": (-4, 6), "curl": (12, 32),
    },
    "bent": {
        "abduction": (6, 24), "flexion": (-18, 12), "turn": (-10, 45), "elbow": (40, 100), "pronation": (0, 50),
        "wrist_flexion": (-15, 15), "wrist_deviation": (-6, 6), "curl": (18, 45),
    },
    "out": {
        "abduction": (24, 64), "flexion": (-10, 15), "turn": (-25, 25), "elbow": (6, 50), "pronation": (0, 60),
        "wrist_flexion": (-10, 15), "wrist_deviation": (-6, 6), "curl": (8, 30),
    },
}  # fmt: skip


def _between(rng: np.random.Generator, limits: tuple[float, float], amplitude: float) -> float:
    middle, half = (limits[0] + limits[1]) / 2, (limits[1] - limits[0]) / 2
    return float(middle + half * amplitude * rng.uniform(-1, 1))


def _draw_arm(rng: np.random.Generator, kind: str, amplitude: float) -> Arm:
    if kind in _ANGLES:
        return Arm(kind, **{name: _between(rng, limits, amplitude) for name, limits in _ANGLES[kind].items()})
    place = PLACES[kind]
    spot = tuple(_between(rng, limits, amplitude) for limits in (place.angle, place.level, place.gap))
    curl = (32, 45) if kind == "pocket" else (10, 30)
    return Arm(kind, curl=_between(rng, curl, amplitude), place=spot)


def _alike(one: Arm, other: Arm, mix: float = 0.7) -> Arm:
    """The other arm made to do nearly the same as the first."""
    angles = {name: mix * getattr(one, name) + (1 - mix) * getattr(other, name) for name in ARM_LIMITS}
    place = one.place and tuple(mix * a + (1 - mix) * b for a, b in zip(one.place, other.place, strict=True))
    return replace(other, **angles, place=place)


def _draw_kinds(rng: np.random.Generator, dress: bool) -> tuple[str, str]:
    """What the left and the right arm do."""
    kinds, shares = list(ARM_KINDS), np.array(list(ARM_KINDS.values()))
    once = np.isin(kinds, _ONE)
    shares = shares * np.where(once, 2, 1)  # only one of two arms does it
    first = str(rng.choice(kinds, p=shares / shares.sum()))
    if first in _BOTH:
        return (first, f"{first} over") if rng.random() < 0.5 else (f"{first} over", first)
    alone = np.where(once | np.isin(kinds, _BOTH), 0, shares)
    second = str(rng.choice(kinds, p=alone / alone.sum()))
    if rng.random() < 0.5 and first not in _ONE:
        second = first
    pair = (first, second) if rng.random() < 0.5 else (second, first)
    return ("down" if dress and pair[0] == "pocket" else pair[0], "down" if dress and pair[1] == "pocket" else pair[1])


def _leg(hip: np.ndarray, foot: np.ndarray, pelvis: np.ndarray, toes: float, heel: float) -> Leg:
    """Angles of a left leg from the hip joint to the ankle, both in the axes of the upright pelvis."""
    rest = average_anatomy()
    pole = about(Y, toes / 2) @ Z
    upper, lower, bend = two_bones(hip, foot, pole, rest.leg_length, (3, 60))
    hinge = cross(pole, upper)  # not from the bones: a straight leg has no plane
    whole = pelvis.T @ frame(upper, -hinge if hinge @ X < 0 else hinge)
    abduction, flexion, turn = swing_angles(whole @ frame(-Y, X).T)
    values = {"abduction": abduction, "flexion": flexion, "turn": turn, "knee": bend, "toes": toes, "heel": heel}
    return Leg(**{name: float(np.clip(value, *LEG_LIMITS[name])) for name, value in values.items()})


def _draw_legs(rng: np.random.Generator, category: str, amplitude: float) -> dict:
    """Stance, pelvis and both legs, feet on the floor."""
    walks = 0.16 if category in ("lower_body", "dresses") else 0.05
    stance = str(rng.choice(["straight", "contrapposto", "step"], p=[0.55 - walks / 2, 0.45 - walks / 2, walks]))
    width = rng.uniform(0.75, 1.3) * (0.8 if stance == "step" else 1)
    toes = amplitude * rng.uniform(2, 18, 2)
    tilt, shift, forth, heels = 0.0, 0.0, np.zeros(2), np.zeros(2)
    if stance == "contrapposto":
        tilt = rng.uniform(1.5, 4.5) * amplitude
        shift = rng.uniform(0.1, 0.4) * amplitude
        forth[1] = rng.uniform(-0.1, 0.7)
        heels[1] = rng.choice([0, rng.uniform(5, 18)], p=[0.6, 0.4])
    elif stance == "step":
        length = rng.uniform(1.2, 2.4) * amplitude
        forth[:] = 0.5 * length, -0.5 * length
        heels[:] = -rng.uniform(0, 8), rng.uniform(15, 32)
    else:
        forth[:] = rng.normal(0, 0.12, 2) * amplitude
    lifted = np.sin(np.radians(np.maximum(heels, 0))) * 1.5  # the ankle is that far behind the ball of the foot
    figure = average_figure()
    hip, root = figure.joint("upperleg01.L"), figure.joint("root")
    pelvis = about(Z, tilt)
    hips = [root + pelvis @ (hip - root), MIRROR @ (root + pelvis @ (MIRROR @ hip - root))]
    across = [width - shift, width + shift]
    lengths = sum(figure.anatomy.leg_length) * 0.999
    floor = max(
        h[1] - np.sqrt(lengths**2 - (x - h[0]) ** 2 - z**2) - up
        for h, x, z, up in zip(hips, across, forth, lifted, strict=True)
    )
    tilts = (pelvis, MIRROR @ pelvis @ MIRROR)
    legs = [
        _leg(h, np.array([x, floor + up, h[2] + z]), p, float(t), float(heel))
        for h, x, z, up, p, t, heel in zip(hips, across, forth, lifted, tilts, toes, heels, strict=True)
    ]
    return {"stance": stance, "pelvis": float(tilt), "left_leg": legs[0], "right_leg": legs[1], "shift": float(shift)}


def _draw(rng: np.random.Generator, category: str, kinds: tuple[str, str], amplitude: float) -> PoseSpec:
    """A pose with hands not yet brought to their places."""

    def normal(name: str, spread: float, middle: float = 0.0) -> float:
        return float(np.clip(middle + rng.normal(0, spread * amplitude), *TRUNK_LIMITS[name]))

    legs = _draw_legs(rng, category, amplitude)
    shift = legs.pop("shift")
    yaw = float(np.clip(rng.normal(0, 14), *TRUNK_LIMITS["yaw"]))
    twist = normal("twist", 4)
    # the weight leg carries: the chest leans back over it and the shoulders drop on that side
    counter = -1.3 * legs["pelvis"] + 0.4 * np.degrees(shift / 6)
    spec = PoseSpec(
        yaw=yaw,
        lean=normal("lean", 1.6, counter),
        bend=normal("bend", 1.8),
        twist=twist,
        head_yaw=normal("head_yaw", 8, -rng.uniform(0.4, 1.0) * (yaw + twist)),
        head_pitch=normal("head_pitch", 4, 1),
        head_tilt=normal("head_tilt", 3.5, 0.3 * counter),
        **legs,
    )
    if rng.random() < 0.5:
        spec = replace(mirrored(spec), yaw=spec.yaw, twist=spec.twist, head_yaw=spec.head_yaw)
    left = _draw_arm(rng, kinds[0], amplitude)
    right = _draw_arm(rng, kinds[1], amplitude)
    if kinds[0] == kinds[1]:
        right = _alike(left, right)
    if spec.stance == "step":  # arms swing against the legs
        swing = 9 * amplitude * (1 if spec.left_leg.flexion < spec.right_leg.flexion else -1)
        left, right = (
            replace(arm, flexion=arm.flexion + way * swing) if arm.kind == "down" else arm
            for arm, way in ((left, 1), (right, -1))
        )
    return replace(spec, left_arm=limited(left), right_arm=limited(right))


def sample_pose(rng: np.random.Generator, category: str = "upper_body") -> PoseSpec:
    """A catalogue pose for a body of average shape; see `draw_pose` for one that fits a body.

    Args:
        rng: random numbers.
        category: upper_body, lower_body or dresses: the latter two walk more often, dresses have no pockets.
    """
    kinds = _draw_kinds(rng, category == "dresses")
    return hands_placed(_draw(rng, category, kinds, 1.0), average_figure())


def draw_pose(
    rng: np.random.Generator, body: Body, nodes: np.ndarray, category: str = "upper_body"
) -> tuple[PoseSpec, Posed]:
    """A catalogue pose that this body can take: hands reach their places, nothing goes through anything.

    Args:
        rng: random numbers.
        body, nodes: of `body.Body`.
        category: see `sample_pose`.
    """
    figure = Figure(body, nodes)
    kinds = _draw_kinds(rng, category == "dresses")
    for amplitude in _AMPLITUDES:
        spec, posed, free = freed(hands_placed(_draw(rng, category, kinds, amplitude), figure), figure)
        if free:
            return spec, posed
    spec, posed, free = freed(_draw(rng, category, ("down", "down"), 0.2), figure, rounds=12)
    return spec, posed
