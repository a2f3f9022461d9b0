"""The camera: a pinhole, and how catalogue photographs are framed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from .body import Body, Posed, rotation
from .keypoints import crown, keypoints


@dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks along -z, but for a small pitch and roll.

    Convention:
        Pixels as areas: the middle of the top left pixel is (0.5, 0.5), the picture's corner (0, 0); x right, y down.
    """

    position: tuple[float, float, float]  # dm, body space
    focal: float  # px
    principal: tuple[float, float]  # (x, y) px
    size: tuple[int, int]  # height, width in px
    pitch: float = 0.0  # degrees, downwards
    roll: float = 0.0  # degrees, clockwise: the person leans to the picture's left

    @property
    def rotation(self) -> np.ndarray:
        """(3, 3) float64 from body space to camera space (x right, y up, z to the camera): for normals."""
        return rotation((0, 0, 1), self.roll) @ rotation((1, 0, 0), self.pitch)

    def project(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) points in dm -> (N, 3) float32: x and y in px, depth along the view axis in dm."""
        local = (np.asarray(points, np.float64) - self.position) @ self.rotation.T
        depth = -local[:, 2]
        scale = self.focal / np.maximum(depth, 1e-3)
        x = self.principal[0] + local[:, 0] * scale
        y = self.principal[1] - local[:, 1] * scale
        return np.stack([x, y, depth], 1).astype(np.float32)


@dataclass(frozen=True)
class Framing:
    """What of the person the picture shows, told by two landmarks; `dataclasses.asdict` makes it JSON."""

    upper: str  # landmark, see `landmarks`
    lower: str
    top: float  # where the upper one is, as a share of the picture's height
    bottom: float  # where the lower one is
    across: float = 0.5  # where the middle of neck and hips is, as a share of the picture's width
    distance: float = 40.0  # dm from the camera to the person
    height: float = 0.0  # dm of the camera above the picture's middle
    pitch: float = 0.0  # degrees, besides what brings the middle back into view
    roll: float = 0.0  # degrees
    kind: str = ""  # name of the crop


# Measured with MediaPipe, as shares of the height. 12 upper-body studio photographs: neck 0.327 +- 0.019, hips
# 0.752 +- 0.051, torso 0.426 +- 0.046; across 0.500 +- 0.027 of the width. 154 full-length street photographs (2 : 3):
# neck 0.237 +- 0.024, hips 0.484 +- 0.025, ankles 0.838 +- 0.041.
_NECK, _NECK_SPREAD = 0.327, 0.026
_TORSO, _TORSO_SPREAD = 0.426, 0.05
_CROPS: Mapping[str, Mapping[str, float]] = {
    "upper_body": {"thighs": 0.79, "tight": 0.06, "knees": 0.15},
    "lower_body": {"full": 0.84, "chest down": 0.11, "hips down": 0.05},
    "dresses": {"full": 0.62, "knees": 0.18, "calves": 0.2},
}


def sample_framing(rng: np.random.Generator, category: str) -> Framing:
    """How much of the person the picture shows, and from where.

    Args:
        rng: random numbers.
        category: upper_body (head to thighs mostly), lower_body or dresses (full length mostly).

    Raises:
        KeyError: for another category.
    """
    crops = _CROPS[category]
    kind = str(rng.choice(list(crops), p=list(crops.values())))
    far = 1.0
    if category == "upper_body":
        upper, lower = "neck", "hips"
        if kind == "tight":  # cut at the forehead, and at the hips
            top, torso = rng.uniform(0.2, 0.28), rng.uniform(0.46, 0.6)
        elif kind == "knees":
            top, torso = rng.uniform(0.21, 0.31), rng.uniform(0.28, 0.36)
        else:
            top = np.clip(rng.normal(_NECK, _NECK_SPREAD), 0.25, 0.4)
            torso = np.clip(rng.normal(_TORSO, _TORSO_SPREAD), 0.33, 0.54)
        bottom = min(top + torso, 0.94)
    elif kind == "full":
        upper, lower, far = "crown", "soles", 1.3
        top = np.clip(rng.normal(0.048, 0.022), 0.015, 0.13)
        bottom = np.clip(rng.normal(0.928, 0.02), 0.83, 0.95)
    elif kind == "chest down":
        upper, lower, far = "neck", "soles", 1.2
        top, bottom = rng.uniform(-0.24, -0.02), rng.uniform(0.9, 0.97)
    elif kind == "hips down":
        upper, lower, far = "hips", "soles", 1.1
        top, bottom = rng.uniform(0.1, 0.24), rng.uniform(0.9, 0.97)
    else:
        upper, lower, far = "crown", "knees" if kind == "knees" else "soles", 1.2
        top = rng.uniform(0.0, 0.09)
        bottom = rng.uniform(0.86, 1.0) if kind == "knees" else rng.uniform(1.04, 1.2)
    return Framing(
        upper=upper,
        lower=lower,
        top=float(top),
        bottom=float(bottom),
        across=float(np.clip(rng.normal(0.5, 0.032), 0.41, 0.59)),
        distance=float(np.clip(far * rng.lognormal(np.log(36), 0.25), 25, 70)),
        height=float(np.clip(rng.normal(0, 1.8), -4.5, 4.5)),
        pitch=float(np.clip(rng.normal(0, 0.6), -1.8, 1.8)),
        roll=float(np.clip(rng.normal(0, 0.6), -1.8, 1.8)),
        kind=kind,
    )


def landmarks(body: Body, vertices: np.ndarray, posed: Posed) -> dict[str, np.ndarray]:
    """Points (3,) in dm that a photographer frames by: crown, neck (between the shoulders), hips, knees, soles.

    Args:
        body: the mesh.
        vertices: (V, 3) in the pose.
        posed: of `Body.pose`.
    """
    points = keypoints(body, vertices, posed).astype(np.float64)
    feet = (points[10] + points[13]) / 2
    return {
        "crown": vertices[crown(body)].astype(np.float64),
        "neck": points[1],
        "hips": (points[8] + points[11]) / 2,
        "knees": (points[9] + points[12]) / 2,
        "soles": np.array([feet[0], vertices[:, 1].min(), feet[2]]),
    }


def camera(framing: Framing, body: Body, vertices: np.ndarray, posed: Posed, size: tuple[int, int]) -> Camera:
    """The camera that puts the framing's two landmarks at their heights in the picture.

    Args:
        framing: of `sample_framing`.
        body, vertices, posed: see `landmarks`.
        size: (height, width) in pixels.

    Raises:
        ValueError: the upper landmark is not above the lower one as the camera sees them.
    """
    height, width = size
    points = landmarks(body, vertices, posed)
    aim = (points[framing.upper] + points[framing.lower]) / 2
    # the middle of the picture, not of the landmarks: a photographer points at it
    share = (0.5 - framing.top) / (framing.bottom - framing.top)
    aim[1] = points[framing.upper][1] + share * (points[framing.lower][1] - points[framing.upper][1])
    position = aim + (0, framing.height, framing.distance)
    pitch = float(np.degrees(np.arctan2(framing.height, framing.distance))) + framing.pitch
    unit = Camera(tuple(float(x) for x in position), 1.0, (0.0, 0.0), size, pitch, framing.roll)
    middle = (points["neck"] + points["hips"]) / 2
    upper, lower, centre = unit.project(np.stack([points[framing.upper], points[framing.lower], middle])).astype(float)
    if lower[1] - upper[1] < 1e-6:
        raise ValueError(f"{framing.upper} is not above {framing.lower} in this pose")
    focal = (framing.bottom - framing.top) * height / (lower[1] - upper[1])
    principal = (framing.across * width - focal * centre[0], framing.top * height - focal * upper[1])
    return replace(unit, focal=float(focal), principal=(float(principal[0]), float(principal[1])))
