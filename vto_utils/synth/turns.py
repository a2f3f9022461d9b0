"""Turns in space: rotation matrices from axes and angles, and back. Angles in degrees, right-handed."""

from __future__ import annotations

import math

import numpy as np

X, Y, Z = np.eye(3)
MIRROR = np.diag([-1.0, 1.0, 1.0])


def unit(vector: np.ndarray) -> np.ndarray:
    """The vector (3,) made 1 long."""
    return vector / math.sqrt(vector @ vector)


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of two vectors (3,): numpy's own is an order of magnitude slower for so little."""
    return np.array([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def about(axis: np.ndarray, degrees: float) -> np.ndarray:
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


def frame(along: np.ndarray, hinge: np.ndarray) -> np.ndarray:
    """Columns: the bone, its hinge made perpendicular to it, and the third axis."""
    along = unit(along)
    third = unit(cross(along, hinge))
    return np.stack([along, cross(third, along), third], 1)


def swung(abduction: float, flexion: float, turn: float) -> np.ndarray:
    """Rotation of a hanging left limb."""
    return about(X, -flexion) @ about(Z, abduction) @ about(Y, turn)


def swing_angles(matrix: np.ndarray) -> tuple[float, float, float]:
    """Abduction, flexion and turn of `swung`."""
    abduction = np.arcsin(np.clip(-matrix[0, 1], -1, 1))
    flexion = -np.arctan2(matrix[2, 1], matrix[1, 1])
    turn = np.arctan2(matrix[0, 2], matrix[0, 0])
    return float(np.degrees(abduction)), float(np.degrees(flexion)), float(np.degrees(turn))


def twist_about(matrix: np.ndarray, axis: np.ndarray) -> float:
    """Degrees that a rotation turns about an axis (the twist of its swing-twist parts)."""
    sine = np.array([matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]]) @ axis
    return float(np.degrees(2 * np.arctan2(sine, 1 + np.trace(matrix))))
