"""Strands of hair: grown along the head and down with gravity, curled, kept out of the body.

Convention:
    Decimetres on the standard body. Strands are (G, K, 3): G of them, K points each, from the root to the tip.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .curves import smoothstep
from .scalp import Head, unit
from .standard import hairline

Array = np.ndarray


def grow_strands(
    head: Head,
    roots: Array,
    start: Array,
    length: Array,
    steps: int,
    offset: Callable[[Array, Array], Array],
    *,
    gravity: float,
    comb: Callable[[Array, Array], Array] | None = None,
    keep_face_free: bool = True,
    hug: float = 0.0,
) -> Array:
    """Strands from ``roots`` (G, 3) in directions ``start`` (G, 3): (G, steps, 3).

    ``offset`` gives the least distance from the body at points (G, 3) and shares of the length (G,); ``comb`` a
    direction that is added on the way; ``hug`` how much of a larger distance is taken back at each step.
    """
    p, d = roots.copy(), unit(start)
    out = [p]
    # short steps at the root, where hair bends most
    grade = np.linspace(0.5, 1.5, steps - 1)
    reached = np.concatenate([[0], np.cumsum(grade)]) / grade.sum()
    normal = np.zeros_like(p)
    touching, held = np.zeros(len(p), bool), np.zeros(len(p), bool)
    edge = np.array([0, 0.75, -0.65])
    face, reach = np.array([0, 7.0, 1.55]), np.array([0.60, 1.02, 1.1])
    for k in range(1, steps):
        s = np.full(len(p), reached[k])
        step = (length * (reached[k] - reached[k - 1]))[:, None]
        fall = np.zeros_like(p)
        fall[:, 1] = -gravity
        if comb is not None:
            fall = fall + comb(p, s)
        # on the surface and on the hairline it slides
        turn = d * (1 - 0.8 * smoothstep(5.2, 4.5, p[:, 1:2])) + fall * step  # low down it hangs straight
        turn = turn - edge * (np.minimum(turn @ edge, 0) * held)[:, None]
        turn = turn - normal * (np.minimum((turn * normal).sum(1), 0) * touching)[:, None]
        q = p + unit(turn) * step
        if keep_face_free:
            low = -0.015 - hairline(q)
            brow = (q[:, 2] > 0.62) & (q[:, 1] > 7.15) & (low > 0)
            q = q + np.where(brow, np.minimum(low, 0.3), 0)[:, None] * edge
            held = (q[:, 2] > 0.62) & (q[:, 1] > 7.15) & (low > -0.05)
            e = (q - face) / reach
            size = np.linalg.norm(e, axis=1, keepdims=True)
            aside = unit(e * np.array([1, 0, 0.25])) * reach * np.maximum(1 - size, 0)
            q = np.where((q[:, 1:2] < 7.5) & (size < 1), q + aside, q)
        for _ in range(2):
            distance, normal = head.distance(q)
            short = offset(q, s) - distance
            back = hug * smoothstep(7.2, 7.8, q[:, 1]) * np.maximum(short, -0.25)
            q = q + normal * np.where(short > 0, short, back)[:, None]
        touching = short > -0.08
        d = unit(q - p)
        p = p + d * step
        out.append(p)
    return np.stack(out, 1)


def outside(head: Head, strands: Array, gap: float = 0.03) -> Array:
    """Strands pushed out of the body where they are nearer than ``gap``."""
    flat = strands.reshape(-1, 3)
    for _ in range(2):
        distance, normal = head.distance(flat)
        flat = flat + normal * np.maximum(gap - distance, 0)[:, None]
    return flat.reshape(strands.shape)


def curled(strands: Array, rng: np.random.Generator, radius: float, turns: Array, normal: Array) -> Array:
    """Wind strands about their own path."""
    along = unit(np.gradient(strands, axis=1))
    side = unit(np.cross(along, normal[:, None]))
    up = np.cross(side, along)
    t = np.linspace(0, 1, strands.shape[1])[None]
    phase = rng.uniform(0, 2 * np.pi, (len(strands), 1)) + 2 * np.pi * turns[:, None] * t
    grow = np.clip(t * 3, 0, 1) * radius
    return strands + side * (np.cos(phase) * grow)[..., None] + up * (np.sin(phase) * grow)[..., None]
