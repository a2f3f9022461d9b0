"""Poses of people in fashion catalogues: drawn as anatomical angles, turned into bone rotations, kept off the body.

Convention:
    Angles in degrees, the same sign on both sides of the body: a right arm with a left arm's angles mirrors it.
    An arm with all angles 0 hangs straight down, the palm towards the thigh; a leg with all angles 0 stands straight.
    Arms are told in the axes of the chest, legs in those of the pelvis, the head in those of the chest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy.spatial import cKDTree

from .body import Body, Posed, Shape, load_body, skin
from .mesh import vertex_normals

X, Y, Z = np.eye(3)
MIRROR = np.diag([-1.0, 1.0, 1.0])


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
    place: tuple[float, float, float] | None = None  # where on the body the hand goes, see `_PLACES`


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

#: How often an arm does what, relative to each other.
ARM_KINDS: Mapping[str, float] = {
    "down": 0.51, "bent": 0.11, "hip": 0.11, "out": 0.055, "behind": 0.035, "beside": 0.02, "pocket": 0.06,
    "crossed": 0.03, "clasped": 0.03, "front": 0.04, "hair": 0.015, "shoulder": 0.015,
}  # fmt: skip
_BOTH = ("crossed", "clasped")  # kinds that take two arms; one of them lies over the other
_ONE = ("front", "shoulder", "hair")  # kinds for one arm only
_SPINE = {"spine05": 0.2, "spine04": 0.2, "spine03": 0.2, "spine02": 0.25, "spine01": 0.15}
_NECK = {"neck01": 0.2, "neck02": 0.25, "neck03": 0.25, "head": 0.3}
_CLAVICLE_SHARE = 0.26  # of the arm's lift
_AMPLITUDES = (1.0, 1.0, 0.7, 0.5)  # of the tries of `draw_pose`


# ---------------------------------------------------------------- angles <-> rotations


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / math.sqrt(vector @ vector)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of two vectors (3,): numpy's own is an order of magnitude slower for so little."""
    return np.array([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def _about(axis: np.ndarray, degrees: float) -> np.ndarray:
    """The (3, 3) matrix that turns by ``degrees`` about a unit vector, right-handed."""
    x, y, z = float(axis[0]), float(axis[1]), float(axis[2])
    angle = math.radians(degrees)
    c, s = math.cos(angle), math.sin(angle)
    d = 1 - c
    return np.array(
        [
            [c + x * x * d, x * y * d - z * s, x * z * d + y * s],
            [x * y * d + z * s, c + y * y * d, y * z * d - x * s],
            [x * z * d - y * s, y * z * d + x * s, c + z * z * d],
        ]
    )


def _frame(along: np.ndarray, hinge: np.ndarray) -> np.ndarray:
    """Columns: the bone, its hinge made perpendicular to it, and the third axis."""
    along = _unit(along)
    third = _unit(_cross(along, hinge))
    return np.stack([along, _cross(third, along), third], 1)


@dataclass(frozen=True)
class _Anatomy:
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


def _anatomy_of(body: Body, nodes: np.ndarray) -> _Anatomy:
    heads = nodes[body.count :].astype(np.float64)

    def at(name: str) -> np.ndarray:
        return heads[body.bone[f"{name}.L"]]

    upper, fore = at("lowerarm01") - at("upperarm01"), at("wrist") - at("lowerarm01")
    arm = _frame(upper, _cross(upper, fore))
    bend = np.degrees(np.arccos(_unit(upper) @ _unit(fore)))
    across = at("finger2-1") - at("finger5-1")
    palm = _cross(at("finger3-1") - at("wrist"), across)
    hand = _frame(fore, palm)
    fingers = {}
    for finger in range(1, 6):
        for joint in (1, 2, 3):
            ends = (joint, joint + 1) if joint < 3 else (2, 3)
            along = at(f"finger{finger}-{ends[1]}") - at(f"finger{finger}-{ends[0]}")
            fingers[f"finger{finger}-{joint}"] = _unit(_cross(along, hand[:, 1]))
    thigh, shin = at("lowerleg01") - at("upperleg01"), at("foot") - at("lowerleg01")
    leg = _frame(thigh, X)
    return _Anatomy(
        arm=arm,
        arm_length=(float(np.linalg.norm(upper)), float(np.linalg.norm(fore))),
        arm_hang=_frame(-Y, -X) @ arm.T,
        arm_bend=float(bend),
        hand=hand,
        fingers=fingers,
        thumb=_unit(_cross(at("finger1-3") - at("finger1-1"), at("finger2-1") - at("wrist"))),
        leg_length=(float(np.linalg.norm(thigh)), float(np.linalg.norm(shin))),
        leg_hang=_frame(-Y, X) @ leg.T,
        leg_bend=float(np.degrees(np.arcsin(_cross(_unit(thigh), _unit(shin)) @ leg[:, 1]))),
        knee=leg[:, 1],
        lift=float(np.degrees(np.arccos(-arm[1, 0]))),
    )


@cache
def _anatomy() -> _Anatomy:
    body = load_body()
    return _anatomy_of(body, body.nodes(Shape()))


def _swing(abduction: float, flexion: float, turn: float) -> np.ndarray:
    """Rotation of a hanging left limb."""
    return _about(X, -flexion) @ _about(Z, abduction) @ _about(Y, turn)


def _swing_angles(matrix: np.ndarray) -> tuple[float, float, float]:
    """Abduction, flexion and turn of `_swing`."""
    abduction = np.arcsin(np.clip(-matrix[0, 1], -1, 1))
    flexion = -np.arctan2(matrix[2, 1], matrix[1, 1])
    turn = np.arctan2(matrix[0, 2], matrix[0, 0])
    return float(np.degrees(abduction)), float(np.degrees(flexion)), float(np.degrees(turn))


def _clavicle(upper: np.ndarray) -> np.ndarray:
    """Rotation of the left clavicle for an upper arm's direction: it takes part in lifting and reaching."""
    lift = np.degrees(np.arccos(np.clip(-upper[1], -1, 1))) - _anatomy().lift
    reach = np.degrees(np.arcsin(np.clip(upper[2], -1, 1)))
    return _about(Y, np.clip(-0.12 * reach, -10, 8)) @ _about(Z, np.clip(_CLAVICLE_SHARE * lift, -12, 16))


def _twist(matrix: np.ndarray, axis: np.ndarray) -> float:
    """Degrees that a rotation turns about an axis (the twist of its swing-twist parts)."""
    sine = np.array([matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]]) @ axis
    return float(np.degrees(2 * np.arctan2(sine, 1 + np.trace(matrix))))


def _arm_rotations(arm: Arm) -> dict[str, np.ndarray]:
    """Rotations of a left arm's bones."""
    rest = _anatomy()
    whole = _swing(arm.abduction, arm.flexion, -arm.turn) @ rest.arm_hang
    bone, hinge = rest.arm[:, 0], rest.arm[:, 1]
    clavicle = _clavicle(whole @ bone)
    upper = clavicle.T @ whole
    half = _about(bone, _twist(upper, bone) / 2)  # shoulder and upper arm share the turn
    fore, palm, across = rest.hand.T
    third = _about(fore, arm.pronation / 3)  # a third each: a twist in one place would wring the forearm
    hand = _about(across, arm.wrist_flexion) @ _about(palm, arm.wrist_deviation)
    turns = {
        "clavicle": clavicle,
        "upperarm01": upper @ half.T,
        "upperarm02": half,
        "lowerarm01": _about(hinge, arm.elbow - rest.arm_bend) @ third,
        "lowerarm02": third,
        "wrist": third @ hand,
    }
    for name, axis in rest.fingers.items():
        finger, joint = int(name[6]), int(name[8])
        share = (0.35, 0.25, 0.3)[joint - 1] if finger == 1 else (0.9, 1.15, 0.75)[joint - 1] * (0.7 + 0.1 * finger)
        turns[name] = _about(axis, (arm.curl - 8) * share)
    turns["finger1-1"] = _about(rest.thumb, 18) @ turns["finger1-1"]  # the rest pose stretches it out
    return turns


def _leg_rotations(leg: Leg, pelvis: np.ndarray) -> dict[str, np.ndarray]:
    """Rotations of a left leg's bones; ``pelvis`` is the pelvis' rotation but for the person's yaw."""
    rest = _anatomy()
    thigh = _swing(leg.abduction, leg.flexion, leg.turn) @ rest.leg_hang
    shin = _about(rest.knee, leg.knee - rest.leg_bend)
    flat = _about(Y, leg.toes) @ _about(X, leg.heel)
    return {"upperleg01": thigh, "lowerleg01": shin, "foot": (pelvis @ thigh @ shin).T @ flat}


def _trunk_rotations(spec: PoseSpec) -> dict[str, np.ndarray]:
    turns = {"root": _about(Y, spec.yaw) @ _about(Z, spec.pelvis)}
    for bone, share in _SPINE.items():
        turns[bone] = _about(Y, spec.twist * share) @ _about(X, spec.bend * share) @ _about(Z, spec.lean * share)
    for bone, share in _NECK.items():
        turns[bone] = (
            _about(Y, spec.head_yaw * share) @ _about(X, spec.head_pitch * share) @ _about(Z, spec.head_tilt * share)
        )
    return turns


def rotations(spec: PoseSpec) -> dict[str, np.ndarray]:
    """Bone -> (3, 3) float64, as `body.Body.pose` takes it."""
    turns = _trunk_rotations(spec)
    pelvis = _about(Z, spec.pelvis)
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


# ---------------------------------------------------------------- hands and feet that have a place


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


_PLACES: Mapping[str, _Place] = {
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


@cache
def _groups(body: Body) -> dict[str, np.ndarray]:
    """Vertices of the tight suit and head by part; faces of the suit's trunk, numbered within the trunk's vertices."""
    strongest = body.weight_bones[np.arange(body.count), body.weights.argmax(1)]
    names = np.array(body.bones)[strongest]
    suit = np.unique(body.cloth)

    def part(vertices: np.ndarray, *starts: str) -> np.ndarray:
        return vertices[[str(name).startswith(starts) for name in names[vertices]]]

    trunk = part(suit, "spine", "root", "upperleg")
    number = np.full(body.count, -1)
    number[trunk] = np.arange(len(trunk))
    faces = number[body.cloth]
    return {
        "trunk": trunk,
        "trunk_faces": faces[(faces >= 0).all(1)],
        "torso": np.flatnonzero([str(name).startswith(("spine", "root")) for name in names[trunk]]),
        "head": part(np.unique(body.faces), "head")[::4],
        **{
            f"{bone}.{side}": np.concatenate([part(suit, f"{bone}{k}.{side}") for k in ("01", "02")])
            for bone in ("upperarm", "lowerarm", "upperleg", "lowerleg")
            for side in "LR"
        },
    }


_SEGMENTS = {
    "upperarm": ("upperarm01", "lowerarm01"),
    "lowerarm": ("lowerarm01", "wrist"),
    "upperleg": ("upperleg01", "lowerleg01"),
    "lowerleg": ("lowerleg01", "foot"),
}
_STATIONS = {  # where along the bone a limb is probed
    "upperarm": (0.6, 0.8, 0.95),
    "lowerarm": (0.1, 0.3, 0.5, 0.7, 0.9),
    "upperleg": (0.2, 0.4, 0.6, 0.8, 0.95),
    "lowerleg": (0.15, 0.35, 0.55, 0.75, 0.95),
}
_HAND = ("wrist", "finger3-1", "finger2-1", "finger5-1", "finger2-3", "finger3-3", "finger5-3", "finger1-3")
_HAND_RADIUS = 0.15


class Figure:
    """One body measured for contact: its trunk, the thickness of its limbs, its proportions."""

    def __init__(self, body: Body, nodes: np.ndarray) -> None:
        self.body, self.nodes = body, nodes
        self.anatomy = _anatomy_of(body, nodes)
        self.groups = groups = _groups(body)
        self.heads = nodes[body.count :].astype(np.float64)
        self.trunk = nodes[groups["trunk"]]
        self.head = nodes[groups["head"]]
        self.radii = {name: self._radii(name) for name in _SEGMENTS}

    def joint(self, name: str) -> np.ndarray:
        return self.heads[self.body.bone[name]]

    def _radii(self, name: str) -> np.ndarray:
        """Radius of the left limb at its stations, dm."""
        start, end = (self.joint(f"{joint}.L") for joint in _SEGMENTS[name])
        points = self.nodes[self.groups[f"{name}.L"]] - start
        length = np.linalg.norm(end - start)
        along = points @ (end - start) / length**2
        apart = np.linalg.norm(points - along[:, None] * (end - start), axis=1)
        near = np.exp(-(((along[:, None] - np.array(_STATIONS[name])) / 0.12) ** 2))
        return (apart @ near) / near.sum(0)

    def surface(self, carrier: str, angle: float, level: float, gap: float) -> np.ndarray:
        """A point (3,) outside the trunk or head in the rest pose; see `_Place`."""
        if carrier == "head":
            points, middle = self.head, self.head.mean(0)
            low, high = points[:, 1].min(), points[:, 1].max()
        else:
            points = self.trunk[self.groups["torso"]] if level > 0.1 else self.trunk
            low, high = self.joint("upperleg01.L")[1], self.joint("neck01")[1]
            middle = np.array([0, 0, 0.1])
        height = low + level * (high - low)
        outward = np.array([np.sin(np.radians(angle)), 0, np.cos(np.radians(angle))])
        apart = points - middle
        sine = outward[2] * apart[:, 0] - outward[0] * apart[:, 2]
        forward = apart @ outward
        near = (np.abs(points[:, 1] - height) < 0.3) & (np.abs(sine) < 0.35) & (forward > 0)
        reach = forward[near].max() if near.any() else 1.0
        return np.array([middle[0], height, middle[2]]) + outward * (reach + gap)


def _two_bones(
    start: np.ndarray, end: np.ndarray, pole: np.ndarray, lengths: tuple[float, float], bends: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray, float]:
    """Directions of two bones from ``start`` towards ``end``, the joint pointing to ``pole``, and its bend in degrees
    (kept within ``bends``)."""
    one, two = lengths
    aim = end - start
    far = np.linalg.norm(aim)
    cosine = np.clip((far**2 - one**2 - two**2) / (2 * one * two), *np.sort(np.cos(np.radians(bends))))
    far = np.sqrt(one**2 + two**2 + 2 * one * two * cosine)
    aim = _unit(aim)
    side = _unit(pole - (pole @ aim) * aim)
    inner = (one**2 + far**2 - two**2) / (2 * one * far)
    upper = inner * aim + np.sqrt(max(0.0, 1 - inner**2)) * side
    return upper, (far * aim - one * upper) / two, float(np.degrees(np.arccos(cosine)))


def _reach(arm: Arm, left: bool, figure: Figure, trunk: Posed) -> Arm:
    """Angles that bring the hand to its place on this body, when the trunk is posed."""
    place, flip = _PLACES[arm.kind], np.eye(3) if left else MIRROR
    bone = figure.body.bone
    target = figure.surface(place.carrier, *arm.place)
    carrier, chest = bone[place.carrier], bone["spine01"]
    carried = trunk.rotation[carrier] @ (flip @ target) + trunk.shift[carrier]
    into_chest = flip @ trunk.rotation[chest].T
    target = into_chest @ (carried - trunk.shift[chest])
    turned = flip @ trunk.rotation[chest].T @ trunk.rotation[carrier] @ flip  # directions of the carrier in the chest
    rest = figure.anatomy
    clavicle, shoulder = figure.joint("clavicle.L"), figure.joint("upperarm01.L")
    upper = _unit(target - shoulder)
    for _ in range(3):
        start = clavicle + _clavicle(upper) @ (shoulder - clavicle)
        upper, fore, bend = _two_bones(start, target, np.array(place.elbow), rest.arm_length, ARM_LIMITS["elbow"])
    whole = _frame(upper, _cross(upper, fore)) @ rest.arm.T
    abduction, flexion, turn = _swing_angles(whole @ rest.arm_hang.T)
    forearm = whole @ _about(rest.arm[:, 1], bend - rest.arm_bend)
    wanted = turned @ _frame(np.array(place.fingers), np.array(place.palm))
    hand = rest.hand.T @ forearm.T @ wanted
    return _limited(
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


def _limited(arm: Arm) -> Arm:
    return replace(arm, **{name: float(np.clip(getattr(arm, name), *limit)) for name, limit in ARM_LIMITS.items()})


def _placed(spec: PoseSpec, figure: Figure) -> PoseSpec:
    """The pose with the hands that have a place brought there on this body."""
    if spec.left_arm.place is None and spec.right_arm.place is None:
        return spec
    trunk = figure.body.pose(figure.nodes, _trunk_rotations(spec))
    arms = {
        name: _reach(getattr(spec, name), name == "left_arm", figure, trunk)
        for name in ("left_arm", "right_arm")
        if getattr(spec, name).place is not None
    }
    return replace(spec, **arms)


# ---------------------------------------------------------------- drawing a pose

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
    place = _PLACES[kind]
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
    rest = _anatomy()
    pole = _about(Y, toes / 2) @ Z
    upper, lower, bend = _two_bones(hip, foot, pole, rest.leg_length, (3, 60))
    hinge = _cross(pole, upper)  # not from the bones: a straight leg has no plane
    whole = pelvis.T @ _frame(upper, -hinge if hinge @ X < 0 else hinge)
    abduction, flexion, turn = _swing_angles(whole @ _frame(-Y, X).T)
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
    figure = _canonical()
    hip, root = figure.joint("upperleg01.L"), figure.joint("root")
    pelvis = _about(Z, tilt)
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


@cache
def _canonical() -> Figure:
    body = load_body()
    return Figure(body, body.nodes(Shape()))


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
    return replace(spec, left_arm=_limited(left), right_arm=_limited(right))


def sample_pose(rng: np.random.Generator, category: str = "upper_body") -> PoseSpec:
    """A catalogue pose for a body of average shape; see `draw_pose` for one that fits a body.

    Args:
        rng: random numbers.
        category: upper_body, lower_body or dresses: the latter two walk more often, dresses have no pockets.
    """
    kinds = _draw_kinds(rng, category == "dresses")
    return _placed(_draw(rng, category, kinds, 1.0), _canonical())


# ---------------------------------------------------------------- contact

_MARGIN = 0.15  # dm of clothes between an arm and the trunk
_FLESH = 0.12  # dm that a thigh gives way when it meets the other


class _Contact:
    """Gaps between the limbs and the trunk of a posed body."""

    def __init__(self, figure: Figure, posed: Posed, same_trunk: _Contact | None = None) -> None:
        body, trunk = figure.body, figure.groups["trunk"]
        self.figure, self.posed = figure, posed
        if same_trunk is not None:
            self._surface, self._normals, self._tree = same_trunk._surface, same_trunk._normals, same_trunk._tree
            return
        surface = skin(figure.trunk, posed, body.weight_bones[trunk], body.weights[trunk])
        self._normals = vertex_normals(surface, figure.groups["trunk_faces"])
        self._surface = surface
        self._tree = cKDTree(surface)

    def joint(self, name: str) -> np.ndarray:
        return self.posed.joints[self.figure.body.bone[name]].astype(np.float64)

    def _probes(self, limb: str, side: str) -> np.ndarray:
        start, end = (self.joint(f"{joint}.{side}") for joint in _SEGMENTS[limb])
        return start + np.array(_STATIONS[limb], np.float32)[:, None] * (end - start)

    def arm(self, side: str) -> tuple[np.ndarray, np.ndarray]:
        """Probes on the upper arm, forearm and hand (16, 3), and their radii (16,), dm."""
        hand = np.stack([self.joint(f"{joint}.{side}") for joint in _HAND])
        radii = [self.figure.radii["upperarm"], self.figure.radii["lowerarm"], np.full(len(_HAND), _HAND_RADIUS)]
        probes = [self._probes("upperarm", side), self._probes("lowerarm", side), hand]
        return np.concatenate(probes), np.concatenate(radii)

    def gaps(self, points: np.ndarray, radii: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distance (N,) of balls from trunk and head, negative inside, and the way out of the body (N, 3)."""
        apart, nearest = self._tree.query(points, k=3)
        out = self._normals[nearest].sum(1)
        out /= np.linalg.norm(out, axis=1, keepdims=True)
        depth = ((points - self._surface[nearest[:, 0]]) * out).sum(1)
        gap = np.where(depth < 0, depth, np.maximum(depth, apart[:, 0] * 0.9)) - radii
        figure = self.figure
        turn, shift = (part[figure.body.bone["head"]] for part in (self.posed.rotation, self.posed.shift))
        low, high = figure.head.min(0), figure.head.max(0)
        local = ((points - shift) @ turn - (low + high) / 2) / ((high - low) / 2)
        size = np.linalg.norm(local, axis=1)
        head = (size - 1) * ((high - low) / 2).min() - radii
        way = (local / size[:, None]) @ turn.T
        return np.minimum(gap, head), np.where((head < gap)[:, None], way, out)

    def between_arms(self) -> tuple[float, int, int]:
        """Least gap in dm between upper arms and forearms (hands may touch anything), and between which two probes of
        the left and the right arm."""
        (one, first), (two, second) = self.arm("L"), self.arm("R")
        apart = np.linalg.norm(one[:8, None] - two[:8], axis=2) - first[:8, None] - second[:8]
        left, right = np.unravel_index(apart.argmin(), apart.shape)
        return float(apart[left, right]), int(left), int(right)

    def between_legs(self) -> float:
        """Least gap between the legs, dm; thighs touch by nature."""
        gaps = []
        for limb in ("upperleg", "lowerleg"):
            apart = np.linalg.norm(self._probes(limb, "L")[:, None] - self._probes(limb, "R"), axis=2)
            radii = self.figure.radii[limb]
            gaps.append(apart - (1 - _FLESH) * (radii[:, None] + radii))
        gaps[0][:2] = gaps[0][:, :2] = np.inf  # the thighs' roots are one flesh
        return float(min(gap.min() for gap in gaps))


def _needed(kind: str | None) -> np.ndarray:
    """Least gap (16,) of an arm's probes from the trunk; a hand may touch, and fingers go into a pocket."""
    needed = np.full(16, _MARGIN)
    needed[:2] = -0.2, 0.0  # next to the armpit, flesh on flesh
    needed[8:] = 0.0
    if kind in (None, "pocket"):
        needed[7:9] = -0.05, -0.15
        needed[9:11] = -0.5
        needed[11:] = -np.inf
    return needed


def collides(body: Body, nodes: np.ndarray, posed: Posed) -> bool:
    """Whether an arm is inside the trunk or head or nearer than clothes allow, or limbs go through each other.

    Args:
        body, nodes: of `body.Body`.
        posed: of ``body.pose(nodes, ...)``.
    """
    contact = _Contact(Figure(body, nodes), posed)
    if contact.between_arms()[0] < 0 or contact.between_legs() < 0:
        return True
    needed = _needed(None) - 0.05  # what `draw_pose` aims at, with some play
    return any((contact.gaps(*contact.arm(side))[0] < needed).any() for side in "LR")


_GIVING = ("abduction", "flexion", "turn", "elbow", "wrist_flexion")
_WILLING = np.array([1.0, 0.6, 0.5, 0.25, 8.0])  # how readily they give way


def _moved(arm: Arm, left: bool, contact: _Contact, probe: int, shift: np.ndarray) -> Arm:
    """The arm with the least change of its angles that moves one probe by ``shift``, along ``shift``."""
    side, flip = ("L", np.eye(3)) if left else ("R", MIRROR)
    chest = contact.posed.rotation[contact.figure.body.bone["spine01"]]
    into = flip @ chest.T.astype(np.float64)
    point = into @ contact.arm(side)[0][probe]
    start, bend, hand = (into @ contact.joint(f"{joint}.{side}") for joint in ("upperarm01", "lowerarm01", "wrist"))
    amount = np.linalg.norm(shift)
    way = into @ (shift / amount)
    rest = _anatomy()
    whole = _swing(arm.abduction, arm.flexion, -arm.turn) @ rest.arm_hang
    fore = whole @ _about(rest.arm[:, 1], arm.elbow - rest.arm_bend) @ _about(rest.hand[:, 0], arm.pronation)
    axes = [_about(X, -arm.flexion) @ Z, -X, whole @ rest.arm[:, 0], whole @ rest.arm[:, 1], fore @ rest.hand[:, 2]]
    levers = [point - start] * 3 + [(point - bend) * (probe > 2), (point - hand) * (probe > 8)]
    gain = np.cross(axes, levers) @ way
    step = np.clip(np.degrees(_WILLING * gain * amount / max(_WILLING @ gain**2, 0.3)), -18, 18)
    moved = {name: getattr(arm, name) + float(degrees) for name, degrees in zip(_GIVING, step, strict=True)}
    return _limited(replace(arm, **moved))


def _pushed(arm: Arm, left: bool, contact: _Contact) -> Arm:
    """The arm moved out of the trunk where it is deepest; the same object if it is free."""
    points, radii = contact.arm("L" if left else "R")
    gaps, ways = contact.gaps(points, radii)
    lacking = _needed(arm.kind) - gaps
    worst = int(lacking.argmax())
    return _moved(arm, left, contact, worst, ways[worst] * (lacking[worst] + 0.03)) if lacking[worst] > 0 else arm


def _parted(left: Arm, right: Arm, contact: _Contact) -> tuple[Arm, Arm]:
    """Arms that go through each other moved apart, the one that lies over the other to the front."""
    gap, one, two = contact.between_arms()
    if gap >= 0:
        return left, right
    apart = contact.arm("L")[0][one] - contact.arm("R")[0][two]
    chest = contact.posed.rotation[contact.figure.body.bone["spine01"]]
    front = chest[:, 2] * (-1 if right.kind.endswith("over") else 1)
    way = _unit(_unit(apart) + 1.5 * front) * (0.03 - gap) / 2
    return _moved(left, True, contact, one, way), _moved(right, False, contact, two, -way)


def _freed(spec: PoseSpec, figure: Figure, rounds: int = 6) -> tuple[PoseSpec, Posed, bool]:
    """The pose with arms and legs pushed apart where they meet, and whether that was enough."""
    contact, still = None, True
    for left in range(rounds, -1, -1):
        posed = figure.body.pose(figure.nodes, rotations(spec))
        contact = _Contact(figure, posed, contact if still else None)
        arms = _pushed(spec.left_arm, True, contact), _pushed(spec.right_arm, False, contact)
        arms = _parted(*arms, contact)
        gap = contact.between_legs()
        still = gap >= 0
        if still and arms[0] is spec.left_arm and arms[1] is spec.right_arm:
            return spec, posed, True
        if not left:
            return spec, posed, False
        apart = 0.0 if still else min(3.0, np.degrees(-gap / 6) + 0.3)
        legs = [
            replace(leg, abduction=float(min(leg.abduction + apart, LEG_LIMITS["abduction"][1])))
            for leg in (spec.left_leg, spec.right_leg)
        ]
        spec = replace(spec, left_arm=arms[0], right_arm=arms[1], left_leg=legs[0], right_leg=legs[1])
    raise AssertionError("unreachable")


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
        spec, posed, free = _freed(_placed(_draw(rng, category, kinds, amplitude), figure), figure)
        if free:
            return spec, posed
    spec, posed, free = _freed(_draw(rng, category, ("down", "down"), 0.2), figure, rounds=12)
    return spec, posed
