"""Eyes: their front halves as a mesh, and the picture on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .body import Body
from .curves import smoothstep
from .people import Identity
from .standard import STANDARD


@dataclass(frozen=True)
class EyeMesh:
    """The front halves of both eyeballs, finer than the body's own; rigid with the bone "head"."""

    vertices: np.ndarray  # (N, 3) float32, dm, rest pose
    faces: np.ndarray  # (M, 3) int32, seen from outside
    texture_points: np.ndarray  # (N, 2) float32, v up; the gaze looks at (0.5, 0.5), radius 0.5 is 90 degrees
    normals: np.ndarray  # (N, 3) float32, unit


@lru_cache(maxsize=1)
def _eye_grid() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directions (N, 3), triangles and texture points of a half sphere that looks along z."""
    rings = np.radians([7, 14, 20, 26, 34, 45, 60, 78, 92])
    around = np.arange(20) / 20 * 2 * np.pi
    angle = np.repeat(rings, 20)
    turn = np.tile(around, len(rings))
    rays = np.stack([np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle)], 1)
    rays = np.concatenate([[[0, 0, 1]], rays])
    flat = np.stack([np.cos(turn), np.sin(turn)], 1) * (angle / np.pi)[:, None]
    texture = np.clip(np.concatenate([[[0, 0]], flat]) + 0.5, 0, 1)
    k = np.arange(20)
    triangles = [np.stack([0 * k, 1 + k, 1 + (k + 1) % 20], 1)]
    for ring in range(len(rings) - 1):
        a, b = 1 + ring * 20 + k, 1 + ring * 20 + (k + 1) % 20
        triangles += [np.stack([a, a + 20, b], 1), np.stack([b, a + 20, b + 20], 1)]
    return rays, np.concatenate(triangles), texture


def eyes(body: Body, nodes: np.ndarray, gaze: tuple[float, float] = (0.0, 0.0)) -> EyeMesh:
    """Eyeballs that fit a person.

    Args:
        body: the body.
        nodes: of `Body.nodes`.
        gaze: degrees to the person's left and up.
    """
    rays, faces, texture = _eye_grid()
    yaw, pitch = np.radians(gaze)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    turn = turn @ np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    directions = rays @ turn.T
    own = np.unique(body.eyes)
    vertices, normals = [], []
    for sign in (1, -1):
        eye = nodes[own][_eye_sides(body) * sign > 0].astype(np.float64)
        centre = eye.mean(0)
        radius = np.linalg.norm(eye - centre, axis=1).mean()
        vertices.append(centre + directions * radius)
        normals.append(directions)
    count = len(rays)
    return EyeMesh(
        np.concatenate(vertices).astype(np.float32),
        np.concatenate([faces, faces + count]).astype(np.int32),
        np.concatenate([texture, texture]).astype(np.float32),
        np.concatenate(normals).astype(np.float32),
    )


@lru_cache(maxsize=2)
def _eye_sides(body: Body) -> np.ndarray:
    """x of the eyeballs' vertices on the standard body: its sign is the side."""
    return body.vertices(STANDARD)[np.unique(body.eyes), 0]


@lru_cache(maxsize=4)
def _eye_maps(size: int) -> tuple[np.ndarray, ...]:
    """Angle from the gaze in degrees, direction around it, height above it: (size, size) float32 each."""
    axis = ((np.arange(size) + 0.5) / size - 0.5).astype(np.float32)
    x, y = np.broadcast_arrays(axis[None, :], -axis[:, None])
    return np.hypot(x, y) * 180, np.arctan2(y, x), y.copy()


def eye_texture(identity: Identity, size: int = 96) -> np.ndarray:
    """Sclera, iris and pupil for `eyes`.

    Returns:
        (size, size, 3) float32 sRGB in [0, 1]; the first row is v = 1.
    """
    angle, around, y = _eye_maps(size)
    iris_edge, pupil_edge = 22.5, 8.5
    soft = 0.8 * 180 / size
    rays = np.random.default_rng([identity.skin_seed, 13]).standard_normal(64)
    ring = np.append(rays, rays[0])
    streak = np.interp((around + np.pi) / (2 * np.pi) * 64, np.arange(65), ring)
    depth = np.clip((angle - pupil_edge) / (iris_edge - pupil_edge), 0, 1)
    lidded = smoothstep(0.02, 0.15, y)  # shadow of the upper lid
    iris = np.array(identity.iris)[None, None] * (1.18 - 0.25 * depth + 0.10 * streak - 0.4 * lidded)[..., None]
    iris = iris * (1 - 0.6 * smoothstep(0.70, 1.0, depth))[..., None]  # limbal ring
    pink = smoothstep(28, 60, angle)[..., None]
    white = np.array([0.76, 0.745, 0.73]) * (1 - pink) + np.array([0.66, 0.53, 0.49]) * pink
    white = white * (1 - 0.38 * lidded)[..., None]
    out = white + (iris - white) * smoothstep(iris_edge + soft, iris_edge - soft, angle)[..., None]
    out = out * (1 - smoothstep(pupil_edge + soft, pupil_edge - soft, angle)[..., None] * 0.95)
    return np.clip(out, 0.012, 1).astype(np.float32)
