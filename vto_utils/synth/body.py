"""The body: MakeHuman's hm08 mesh, shaped by its targets and posed by linear blend skinning.

Convention:
    Decimetres; x to the person's own left, y up, z to the front. Rest pose: arms out and down by about 45 degrees.
    A rotation is a (3, 3) matrix about the bone's head, in the axes of the rest pose, relative to the bone's parent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import numpy as np

BODY_FILE = Path(__file__).parent / "data" / "hm08.npz"
STEP = 0.001  # dm, one unit of the stored offsets
UPPER_ARM, FOREARM = 1.09, 1.13  # times MakeHuman's lengths
ARM_JOINTS = ("upperarm01", "lowerarm01", "wrist")


@dataclass(frozen=True)
class Shape:
    """What a body looks like, as MakeHuman's macro sliders have it."""

    gender: float = 0.3  # 0 female .. 1 male
    age: float = 0.0  # 0 young .. 1 old; adults only
    muscle: float = 0.5  # 0 .. 1
    weight: float = 0.5  # 0 .. 1
    height: float = 0.5  # 0 .. 1
    cup: float = 0.5  # 0 .. 1, female part only
    origin: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)  # african, asian, caucasian; sum 1
    targets: Mapping[str, float] = field(default_factory=dict)  # face shapes and face units by name


@dataclass(frozen=True)
class Posed:
    """Where every bone went: ``x -> rotation @ x + shift`` for points of the rest pose."""

    rotation: np.ndarray  # (B, 3, 3) float32
    shift: np.ndarray  # (B, 3) float32, dm
    joints: np.ndarray  # (B, 3) float32, dm, heads of the bones in the new pose


def rotation(axis: tuple[float, float, float] | np.ndarray, degrees: float) -> np.ndarray:
    """The (3, 3) matrix that turns by ``degrees`` about ``axis``, right-handed (Rodrigues)."""
    x, y, z = np.asarray(axis, np.float64) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.deg2rad(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def _between(value: float, low: str, middle: str, high: str) -> dict[str, float]:
    return {low: max(0.0, 1 - 2 * value), middle: 1 - abs(2 * value - 1), high: max(0.0, 2 * value - 1)}


class Body:
    """The mesh, its skeleton and its shape space.

    Attributes:
        faces: (F, 3) int32 of the skin; eyes: (E, 3) int32 of the eyeballs; cloth: (C, 3) int32 of the tight suit from
            neck to wrists and ankles that clothes are made from. All index the same vertices.
        texture: (T, 2) float32 texture points, u to the right, v up; texture_faces, eye_texture_faces: (F, 3), (E, 3)
            int32 into them.
        bones: names in order, parents first; bone: name -> index; parents: (B,) int, -1 for the root.
        weight_bones, weights: (V, 4) int32 and float32, skinning.
        count: number of vertices V.
    """

    def __init__(self, path: Path = BODY_FILE) -> None:
        with np.load(path) as file:
            self.data = {name: file[name] for name in file.files}
        data = self.data
        self.bones = tuple(str(name) for name in data["bones"])
        self.bone = {name: k for k, name in enumerate(self.bones)}
        self.parents = data["parents"].astype(int)
        self._nodes = np.ascontiguousarray(data["vertices"])
        self.count = len(self._nodes) - len(self.bones)
        group = data["face_group"]
        faces, corners = data["faces"].astype(np.int32), data["texture_faces"].astype(np.int32)
        self.faces = np.ascontiguousarray(faces[group == 0])
        self.texture_faces = np.ascontiguousarray(corners[group == 0])
        self.cloth = np.ascontiguousarray(faces[group == 1])
        self.eyes = np.ascontiguousarray(faces[group >= 2])
        self.eye_texture_faces = np.ascontiguousarray(corners[group >= 2])
        self.texture = np.ascontiguousarray(data["texture"])
        self.weight_bones = np.ascontiguousarray(data["weight_bones"]).astype(np.int32)
        self.weights = np.ascontiguousarray(data["weights"]).astype(np.float32) / 65535
        self._target = {str(name): k for k, name in enumerate(data["target_names"])}
        self._starts = data["target_starts"]
        self._indices = data["target_indices"].astype(np.int32)
        self._offsets = np.ascontiguousarray(data["target_offsets"])

    @property
    def target_names(self) -> tuple[str, ...]:
        """Every shape target there is."""
        return tuple(self._target)

    def _mixture(self, shape: Shape) -> dict[str, float]:
        muscles = _between(shape.muscle, "minmuscle", "averagemuscle", "maxmuscle")
        weights = _between(shape.weight, "minweight", "averageweight", "maxweight")
        height = "maxheight" if shape.height > 0.5 else "minheight"
        cup = "maxcup" if shape.cup > 0.5 else "mincup"
        mixture: dict[str, float] = {}
        for gender, a in (("female", 1 - shape.gender), ("male", shape.gender)):
            for age, b in (("young", 1 - shape.age), ("old", shape.age)):
                for origin, c in zip(("african", "asian", "caucasian"), shape.origin, strict=True):
                    mixture[f"{origin}-{gender}-{age}"] = a * b * c
                for muscle, c in muscles.items():
                    for weight, d in weights.items():
                        name, share = f"{gender}-{age}-{muscle}-{weight}", a * b * c * d
                        mixture[name] = share
                        mixture[f"{name}-{height}"] = share * abs(shape.height - 0.5) * 2
                        if gender == "female":
                            mixture[f"{name}-{cup}"] = share * abs(shape.cup - 0.5) * 2
        return {**mixture, **shape.targets}

    def nodes(self, shape: Shape) -> np.ndarray:
        """Vertices in the rest pose followed by the joints: (V + B, 3) float32, dm.

        Raises:
            KeyError: for a target that does not exist.
        """
        nodes = self._nodes.copy()
        for name, amount in self._mixture(shape).items():
            k = self._target[name]
            if abs(amount) > 1e-6:
                part = slice(self._starts[k], self._starts[k + 1])
                nodes[self._indices[part]] += self._offsets[part] * np.float32(amount * STEP)
        return self._longer_arms(nodes)

    def _longer_arms(self, nodes: np.ndarray) -> np.ndarray:
        """Give the arms the length they have on people: MakeHuman's are a tenth too short, hands apart."""
        shares = self._arm_shares
        out = nodes.copy()
        for side in "LR":
            shoulder, elbow, wrist = (nodes[self.count + self.bone[f"{name}.{side}"]] for name in ARM_JOINTS)
            upper, lower = elbow - shoulder, wrist - elbow
            a, b = np.linalg.norm(upper), np.linalg.norm(lower)
            upper, lower = upper / a, lower / b
            along = np.clip((nodes - shoulder) @ upper, 0, a)[:, None] * (UPPER_ARM - 1) * upper
            further = (UPPER_ARM - 1) * a * upper
            beyond = further + np.clip((nodes - elbow) @ lower, 0, b)[:, None] * (FOREARM - 1) * lower
            hand = further + (FOREARM - 1) * b * lower
            one, two, three = (share[:, None] for share in shares[side])
            out += (one * along + two * beyond + three * hand).astype(np.float32)
        return out

    @cached_property
    def _arm_shares(self) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """How much of upper arm, forearm and hand each vertex and each joint is, for either side."""
        shares = {}
        for side in "LR":
            parts = []
            for names in (("upperarm",), ("lowerarm",), ("wrist", "finger")):
                mine = np.array([bone.startswith(names) and bone.endswith(side) for bone in self.bones], np.float32)
                parts.append(np.concatenate([(mine[self.weight_bones] * self.weights).sum(1), mine]))
            shares[side] = tuple(parts)
        return shares

    def vertices(self, shape: Shape) -> np.ndarray:
        """(V, 3) float32, dm, rest pose."""
        return self.nodes(shape)[: self.count]

    def pose(self, nodes: np.ndarray, rotations: Mapping[str, np.ndarray]) -> Posed:
        """Turn bones.

        Args:
            nodes: of `nodes`.
            rotations: bone name -> (3, 3).

        Raises:
            KeyError: for a bone that does not exist.
        """
        unknown = set(rotations) - set(self.bone)
        if unknown:
            raise KeyError(f"no such bone: {', '.join(sorted(unknown))}")
        heads = nodes[self.count :].astype(np.float64)
        turn = np.empty((len(self.bones), 3, 3))
        shift = np.empty((len(self.bones), 3))
        for k, (name, parent) in enumerate(zip(self.bones, self.parents, strict=True)):
            own = rotations.get(name)
            above, moved = (turn[parent], shift[parent]) if parent >= 0 else (np.eye(3), np.zeros(3))
            if own is None:
                turn[k], shift[k] = above, moved
            else:
                turn[k] = above @ own
                shift[k] = above @ (heads[k] - own @ heads[k]) + moved
        joints = np.einsum("bij,bj->bi", turn, heads) + shift
        return Posed(turn.astype(np.float32), shift.astype(np.float32), joints.astype(np.float32))


def skin(points: np.ndarray, posed: Posed, weight_bones: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Linear blend skinning.

    Args:
        points: (N, 3) in the rest pose.
        posed: of `Body.pose`.
        weight_bones, weights: (N, K), bones and their shares, which sum to 1.

    Returns:
        (N, 3) float32.
    """
    affine = np.concatenate([posed.rotation, posed.shift[:, :, None]], 2).reshape(-1, 12)
    blended = np.zeros((len(points), 12), np.float32)
    for k in range(weights.shape[1]):
        blended += affine[weight_bones[:, k]] * weights[:, k : k + 1]
    blended = blended.reshape(-1, 3, 4)
    return (np.einsum("nij,nj->ni", blended[:, :, :3], points) + blended[:, :, 3]).astype(np.float32)


@cache
def load_body() -> Body:
    """The body, read once per process (about 0.3 s)."""
    return Body()
