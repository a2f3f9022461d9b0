"""A body measured for posing: its trunk, its head, the thickness and length of its limbs."""

from __future__ import annotations

from functools import cache

import numpy as np

from .anatomy import anatomy_of
from .body import Body, Shape, load_body


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


SEGMENTS = {
    "upperarm": ("upperarm01", "lowerarm01"),
    "lowerarm": ("lowerarm01", "wrist"),
    "upperleg": ("upperleg01", "lowerleg01"),
    "lowerleg": ("lowerleg01", "foot"),
}
STATIONS = {  # where along the bone a limb is probed
    "upperarm": (0.6, 0.8, 0.95),
    "lowerarm": (0.1, 0.3, 0.5, 0.7, 0.9),
    "upperleg": (0.2, 0.4, 0.6, 0.8, 0.95),
    "lowerleg": (0.15, 0.35, 0.55, 0.75, 0.95),
}
HAND = ("wrist", "finger3-1", "finger2-1", "finger5-1", "finger2-3", "finger3-3", "finger5-3", "finger1-3")
HAND_RADIUS = 0.15


class Figure:
    """One body measured for contact: its trunk, the thickness of its limbs, its proportions."""

    def __init__(self, body: Body, nodes: np.ndarray) -> None:
        self.body, self.nodes = body, nodes
        self.anatomy = anatomy_of(body, nodes)
        self.groups = groups = _groups(body)
        self.heads = nodes[body.count :].astype(np.float64)
        self.trunk = nodes[groups["trunk"]]
        self.head = nodes[groups["head"]]
        self.radii = {name: self._radii(name) for name in SEGMENTS}

    def joint(self, name: str) -> np.ndarray:
        return self.heads[self.body.bone[name]]

    def _radii(self, name: str) -> np.ndarray:
        """Radius of the left limb at its stations, dm."""
        start, end = (self.joint(f"{joint}.L") for joint in SEGMENTS[name])
        points = self.nodes[self.groups[f"{name}.L"]] - start
        length = np.linalg.norm(end - start)
        along = points @ (end - start) / length**2
        apart = np.linalg.norm(points - along[:, None] * (end - start), axis=1)
        near = np.exp(-(((along[:, None] - np.array(STATIONS[name])) / 0.12) ** 2))
        return (apart @ near) / near.sum(0)

    def surface(self, carrier: str, angle: float, level: float, gap: float) -> np.ndarray:
        """A point (3,) outside the trunk or head in the rest pose; see `reach.PLACES`."""
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


@cache
def average_figure() -> Figure:
    """Of a body of average shape."""
    body = load_body()
    return Figure(body, body.nodes(Shape()))
