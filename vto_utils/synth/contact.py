"""Contact: whether limbs go through the body or each other, and the pose in which they do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from .anatomy import average_anatomy
from .body import Body, Posed, skin
from .mesh import vertex_normals
from .poses import LEG_LIMITS, Arm, PoseSpec, limited, rotations
from .proportions import HAND, HAND_RADIUS, SEGMENTS, STATIONS, Figure
from .turns import MIRROR, X, Z, about, swung, unit

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
        start, end = (self.joint(f"{joint}.{side}") for joint in SEGMENTS[limb])
        return start + np.array(STATIONS[limb], np.float32)[:, None] * (end - start)

    def arm(self, side: str) -> tuple[np.ndarray, np.ndarray]:
        """Probes on the upper arm, forearm and hand (16, 3), and their radii (16,), dm."""
        hand = np.stack([self.joint(f"{joint}.{side}") for joint in HAND])
        radii = [self.figure.radii["upperarm"], self.figure.radii["lowerarm"], np.full(len(HAND), HAND_RADIUS)]
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
    needed = _needed(None) - 0.05  # what `pose_sampling.draw_pose` aims at, with some play
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
    rest = average_anatomy()
    whole = swung(arm.abduction, arm.flexion, -arm.turn) @ rest.arm_hang
    fore = whole @ about(rest.arm[:, 1], arm.elbow - rest.arm_bend) @ about(rest.hand[:, 0], arm.pronation)
    axes = [about(X, -arm.flexion) @ Z, -X, whole @ rest.arm[:, 0], whole @ rest.arm[:, 1], fore @ rest.hand[:, 2]]
    levers = [point - start] * 3 + [(point - bend) * (probe > 2), (point - hand) * (probe > 8)]
    gain = np.cross(axes, levers) @ way
    step = np.clip(np.degrees(_WILLING * gain * amount / max(_WILLING @ gain**2, 0.3)), -18, 18)
    moved = {name: getattr(arm, name) + float(degrees) for name, degrees in zip(_GIVING, step, strict=True)}
    return limited(replace(arm, **moved))


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
    way = unit(unit(apart) + 1.5 * front) * (0.03 - gap) / 2
    return _moved(left, True, contact, one, way), _moved(right, False, contact, two, -way)


def freed(spec: PoseSpec, figure: Figure, rounds: int = 6) -> tuple[PoseSpec, Posed, bool]:
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
