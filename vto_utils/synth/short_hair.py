"""Hair that stands or lies on the head: short cuts, afro and curls."""

from __future__ import annotations

import numpy as np

from .body import Body
from .curves import smoothstep
from .hair_cards import HairBuilder
from .locks import HairLook, cap_sheet, locks
from .scalp import CENTRE, unit
from .standard import hairline, noise

Array = np.ndarray


def _top(points: Array) -> Array:
    """1 on the top of the head, 0 at its sides and back."""
    return smoothstep(7.75, 8.15, points[:, 1]) * smoothstep(-0.35, 0.05, points[:, 2])


def short_hair(build: HairBuilder, body: Body, look: HairLook, style: str) -> None:
    """Crop, side parting, quiff, pixie: a cap that is thick on top and thin at the sides, and locks on it."""
    rng = np.random.default_rng([look.seed, 1])
    v, n = look.volume, look.length
    top, side, back, front = {
        "crop": (0.09 + 0.10 * n, 0.04, 0.05, 0.05 + 0.08 * n),
        "side_part": (0.13 + 0.12 * v, 0.05, 0.06, 0.13 + 0.13 * v),
        "quiff": (0.17 + 0.12 * v, 0.045, 0.05, 0.20 + 0.18 * v),
        "pixie": (0.15 + 0.10 * v, 0.09, 0.10, 0.10 + 0.06 * v),
    }[style]

    def height(q: Array) -> Array:
        up = _top(q)
        rear = smoothstep(0.3, -0.2, q[:, 2])
        ahead = smoothstep(0.55, 1.05, q[:, 2]) * smoothstep(7.8, 8.0, q[:, 1])
        ahead = ahead * smoothstep(0.75, 0.3, np.abs(q[:, 0]))
        out = side + (back - side) * rear + (top - side) * up + (front - top) * ahead * up
        if style == "side_part" and abs(look.part) > 0.12:
            groove = np.exp(-(((q[:, 0] - look.part) / 0.05) ** 2)) * smoothstep(0.1, 0.4, q[:, 2])
            out = out * (1 - 0.7 * groove)
        return np.maximum(out, 0.015)

    def direction(q: Array) -> Array:
        x, zero = q[:, 0] - look.part, np.zeros(len(q))
        behind = smoothstep(0.15, -0.3, q[:, 2])
        if style == "crop":
            return np.stack([0.35 * np.sign(look.part + 1e-3) + zero, -0.3 - 0.8 * behind, 1.0 - 1.3 * behind], 1)
        if style == "quiff":
            up = _top(q)
            return np.stack([0.2 * x, 0.3 * up - 0.9 * (1 - up), -1.0 + 0.3 * behind], 1)
        if style == "pixie":
            return np.stack([0.9 * np.tanh(x * 6), -0.5 - 0.5 * behind, 0.65 - 1.3 * behind], 1)
        return np.stack([np.tanh(x * 8), -0.2 - 0.6 * behind, -0.35 + zero], 1)

    def long(q: Array) -> Array:
        base = {"crop": 0.20 + 0.16 * n, "side_part": 0.60, "quiff": 0.55 + 0.15 * n, "pixie": 0.50 + 0.15 * n}[style]
        return base * (0.45 + 0.55 * _top(q))

    cap_sheet(build, body, (0.0, 0.86, -0.5), height, look)
    lift = {"crop": 0.30, "side_part": 0.15, "quiff": 0.30, "pixie": 0.15}[style]

    def where(q: Array) -> Array:
        clear = smoothstep(0.02, 0.14, hairline(q))
        burn = 1 - smoothstep(7.6, 7.4, q[:, 1]) * smoothstep(0.2, 0.45, q[:, 2])
        return ((0.35 if style == "pixie" else 0.12) + _top(q)) * (0.25 + 0.75 * clear) * burn

    locks(
        build, body, rng, 190, where, direction, long, lambda q: height(q) + 0.015,
        width=0.16 if style == "crop" else 0.21, lift=lift, gravity=0.4, comb=5.0, hug=0.5,
    )  # fmt: skip


def ball(build: HairBuilder, body: Body, look: HairLook, style: str) -> None:
    """Afro and short curls: a thick cap and many small curled cards."""
    rng = np.random.default_rng([look.seed, 2])
    big = 0.30 + 0.55 * look.volume if style == "afro" else 0.14 + 0.14 * look.volume

    def height(q: Array) -> Array:
        around = smoothstep(6.75, 7.5, q[:, 1])
        top = smoothstep(7.4, 8.3, q[:, 1])
        tight = 1.0 if style == "afro" else 0.45 + 0.55 * top
        return big * (0.45 + 0.55 * around) * tight * (0.92 + 0.12 * top)

    def thick(q: Array) -> Array:
        return height(q) * 0.78

    cap_sheet(build, body, (0.0, 0.93, -0.36), thick, look, around=52, along=11, over=0.03)
    count = 330 if style == "afro" else 300

    def direction(q: Array) -> Array:
        turn = noise(q, 0.4, 31)[:, None] * 3.0
        ray = unit(q - CENTRE)
        one = unit(np.cross(ray, np.array([0.3, 0.2, 1.0])))
        return one * np.cos(turn) + np.cross(ray, one) * np.sin(turn)

    def often(q: Array) -> Array:
        edge = smoothstep(0.3, 0.05, hairline(q)) * smoothstep(0.5, 0.8, q[:, 2])
        return 0.35 + 0.5 * smoothstep(7.0, 7.9, q[:, 1]) + 1.2 * edge * (q[:, 1] > 7.6)

    size = 0.20 + 0.10 * look.length
    locks(
        build, body, rng, count, often, direction,
        lambda q: size * np.ones(len(q)), lambda q: height(q) * 0.86, width=0.17, steps=6, lift=1.1, gravity=0.2,
        comb=0.8, curl=0.045, stray=0.25,
    )  # fmt: skip
