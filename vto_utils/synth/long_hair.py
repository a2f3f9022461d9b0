"""Hair that falls or is tied: curtains of strands from the parting, fringes, ponytails and buns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .body import Body
from .curves import smoothstep
from .hair_cards import HairBuilder, card_widths
from .hair_texture import CELLS
from .locks import HairLook, cap_sheet, locks
from .scalp import CENTRE, unit
from .standard import hairline, noise
from .strands import curled, grow_strands, outside

CLOTHED = 0.40  # dm between skin and hair on the shoulders: clothes lie between them

Array = np.ndarray


def _curtain_strands(
    build: HairBuilder, look: HairLook, count: int, steps: int, length: Callable[[Array], Array], lift: float,
    wave: float, rng: np.random.Generator, jitter: float = 0.0,
) -> tuple[Array, Array]:  # fmt: skip
    """Strands (G, K, 3) of long hair in order: from the front of the parting, the person's right side, round the back,
    to the front again on the left; and which of them (G,) fall in front of the shoulder."""
    head = build.head
    share = np.linspace(0, 1, count) if jitter == 0 else np.sort(rng.random(count))
    # 0 .. 0.36 right of the parting front to crown, .. 0.64 round the crown, .. 1 left crown to front
    front, crown = 1.22, -0.02
    t = np.interp(share, [0, 0.36, 0.64, 1], [0, 1, 1, 0])
    side = np.where(share < 0.5, -1.0, 1.0)
    z = front + (crown - front) * t
    spin = np.interp(share, [0.36, 0.64], [-1, 1])  # along the whorl
    part = look.part * (1 - 0.6 * t)
    x = part + np.where(np.abs(spin) < 1, 0.22 * spin, side * 0.03)
    z = np.where(np.abs(spin) < 1, crown - 0.16 * np.sqrt(np.clip(1 - spin**2, 0, 1)), z)
    rays = np.stack([x, np.full(count, 0.9), z - CENTRE[2]], 1)
    # the ray that hits the head over (x, z)
    for _ in range(3):
        q = head.surface(rays)
        rays[:, 0] += (x - q[:, 0]) * 0.9
        rays[:, 2] += (z - q[:, 2]) * 0.9
    # no root in front of the hairline
    for _ in range(3):
        rays[:, 2] -= 1.3 * np.maximum(0.015 - hairline(head.surface(rays)), 0)
    roots = head.surface(rays)
    _, normal = head.distance(roots)
    away = np.stack([np.where(np.abs(spin) < 1, 1.3 * spin, side), np.full(count, 0.1), 0 * x], 1)
    away[:, 2] = np.where(np.abs(spin) < 1, -0.3 - 0.9 * (1 - np.abs(spin)), -0.28 - 0.25 * t)
    away += jitter * 0.3 * rng.standard_normal(away.shape)
    root = 0.05 + 0.06 * look.volume
    body_hair = 0.09 + 0.10 * look.volume
    over = {"behind": (-1, -1), "left": (-1, 1), "right": (1, -1), "both": (1, 1)}[look.falls]
    forward = np.where(share < 0.5, over[0], over[1]) > 0
    # 1 at the front of the parting, 0 at the crown: what may fall in front of the shoulder
    frontal = np.clip(1 - np.minimum(share, 1 - share) / 0.36, 0, 1)
    forward &= frontal > 0.35 * np.random.default_rng([look.seed, 6]).random()
    loose = rng.normal(0, 0.06, count)
    aim = np.where(
        forward[:, None],
        np.stack([side * (0.94 - 0.42 * frontal + 1.5 * loose), 4.45 + loose, 0.95 + 0.2 * frontal], 1),
        np.stack([side * (0.10 + 0.55 * frontal) + loose, 5.35 + 0 * loose, -0.75 + 0.1 * frontal], 1),
    )
    gravity = 3.4

    def offset(q: Array, s: Array) -> Array:
        on_head = root + (body_hair - root) * np.sin(np.pi * np.clip(s * 2.2, 0, 1))
        low = smoothstep(6.2, 5.6, q[:, 1])
        start = 0.35 + 0.65 * smoothstep(0.0, 0.15, s)
        return (on_head * (1 - low) + CLOTHED * low + lift) * start

    def comb(q: Array, s: Array) -> Array:
        # beside the face it is drawn back to the ear, below the ear in to the neck, then to its side of the shoulder
        temple = smoothstep(8.1, 7.7, q[:, 1]) * smoothstep(6.6, 7.0, q[:, 1]) * smoothstep(0.62, 0.85, q[:, 2])
        neck = smoothstep(7.0, 6.5, q[:, 1])
        below = smoothstep(6.7, 6.3, q[:, 1]) * smoothstep(aim[:, 1] - 0.1, aim[:, 1] + 0.15, q[:, 1])
        below = below * smoothstep(0.08, 0.3, np.linalg.norm((aim - q)[:, [0, 2]], axis=1))
        aside = np.abs(q[:, 0])
        inwards = smoothstep(0.5, 0.9, aside) * neck * (1 - below) * np.where(forward, 0.3, 1.0)
        inwards = -np.sign(q[:, 0]) * (inwards + 3.0 * smoothstep(0.95, 1.2, aside) * (q[:, 1] > 5.3))
        to = aim - q
        to[:, 1] = np.minimum(to[:, 1], -0.45)  # always on the way down
        to = unit(to) * (below * 7.0)[:, None]
        return np.stack([1.6 * inwards + to[:, 0], 0.5 * gravity * below + to[:, 1], to[:, 2] - 3.5 * temple], 1)

    size = length(share)
    if look.falls != "behind":
        size = size * (1 + 0.12 * forward)
    starts = roots + normal * (root + lift) * 0.35
    strands = grow_strands(head, starts, away, size, steps, offset, gravity=gravity, comb=comb, hug=0.3)
    if wave > 0:
        t = np.linspace(0, 1, steps)[None]
        run = np.cumsum(np.r_[0, np.linalg.norm(np.diff(strands, axis=1), axis=2).mean(0)])[None]
        phase = 2 * np.pi * run / (0.95 - 0.35 * look.volume) + 5.5 * noise(roots, 0.8, look.seed % 9973)[:, None]
        _, out = head.distance(strands.reshape(-1, 3))
        out = out.reshape(strands.shape)
        along = unit(np.gradient(strands, axis=1))
        aside = np.cross(along, out)
        amount = wave * smoothstep(0.15, 0.5, t)
        strands = strands + aside * (np.sin(phase) * amount)[..., None]
        strands = outside(head, strands + out * ((1 + np.cos(phase)) * 0.4 * amount)[..., None])
    return strands, forward


def fringe(build: HairBuilder, look: HairLook, rng: np.random.Generator, count: int = 26, inner: bool = True) -> None:
    """Hair combed over the forehead, down to about the brows."""
    head = build.head

    def strands(x: Array, lift: float, size: Array) -> Array:
        rays = unit(np.stack([x * 0.85, np.full(len(x), 0.78), np.full(len(x), 0.40) - 0.25 * np.abs(x)], 1))
        roots = head.surface(rays)
        _, normal = head.distance(roots)
        start = np.stack([x * 0.5 + 0.12 * look.part, np.full(len(x), -0.1), np.ones(len(x))], 1)
        return grow_strands(
            head, roots + normal * 0.1, start, size, 8, lambda q, s: np.full(len(q), 0.07 + lift), gravity=3.0,
            keep_face_free=False,
        )  # fmt: skip

    def size(x: Array) -> Array:
        drop = 0.70 + 0.20 * look.fringe
        return drop + 0.35 * smoothstep(0.35, 0.7, np.abs(x))

    x = np.linspace(-0.66, 0.66, 15)
    if inner:
        build.sheet(strands(x, 0.0, size(x) * 0.97), u=(0.1, 0.42))
    x = rng.uniform(-0.66, 0.66, count)
    more = strands(x, 0.025, size(x) * rng.uniform(0.9, 1.03, count))
    build.cards(more, card_widths(more, 0.2), rng.integers(0, CELLS, count))


def long_hair(build: HairBuilder, body: Body, look: HairLook, style: str) -> None:
    """Bob, lob and long hair: an opaque sheet of strands and locks over it."""
    rng = np.random.default_rng([look.seed, 3])
    v = look.volume
    total, wave, curl = {
        "bob": (1.75 + 0.55 * look.length, 0.015, 0.0),
        "lob": (2.6 + 0.4 * look.length, 0.03 + 0.04 * v, 0.0),
        "long_straight": (3.9 + 1.8 * look.length, 0.015, 0.0),
        "long_wavy": (3.8 + 1.6 * look.length, 0.08 + 0.05 * v, 0.0),
        "long_curly": (3.5 + 1.3 * look.length, 0.06, 0.06),
    }[style]
    ripple = rng.uniform(0, 2 * np.pi, 3)

    def length(share: Array) -> Array:
        edge = np.minimum(share, 1 - share)
        uneven = 0.03 * np.sin(share * 31 + ripple[0]) + 0.02 * np.sin(share * 67 + ripple[1])
        back = 0.12 if style == "bob" else -0.02
        return total * (1 + uneven - back * smoothstep(0.15, 0.45, edge) * 1.0)

    steps = 17 if total > 3 else 14
    scalp = lambda q: np.full(len(q), 0.05)  # noqa: E731
    cap_sheet(build, body, (0.0, 0.93, -0.36), scalp, look, around=40, along=8, over=-0.02)
    sheet, forward = _curtain_strands(build, look, 58, steps, length, 0.0, wave, rng)
    cuts = np.flatnonzero(np.diff(forward.astype(int))) + 1
    edges = [0, *cuts.tolist(), len(sheet)]
    for first, last in zip(edges[:-1], edges[1:], strict=True):
        if last - first > 1:
            build.sheet(sheet[first:last], u=(first / len(sheet), last / len(sheet)))
    count = 72
    outer, _ = _curtain_strands(
        build, look, count, steps, lambda s: length(s) * rng.uniform(0.86, 1.03, count), 0.045, wave, rng, 1.0
    )
    if curl:
        _, normal = build.head.distance(outer[:, 0])
        outer = outside(build.head, curled(outer, rng, curl, rng.uniform(5, 8, count), normal))
    x, y = np.abs(outer[..., 0]), outer[..., 1]
    outer = outer[~((x > 1.15) & (y > 5.3) & (y < 6.8)).any(1)]  # none sticks out over the shoulder
    count = len(outer)
    build.cards(outer, card_widths(outer, 0.24 * rng.uniform(0.8, 1.3, count)), rng.integers(0, CELLS, count))
    if look.fringe > 0:
        fringe(build, look, rng)


def tied_hair(build: HairBuilder, body: Body, look: HairLook, style: str) -> None:
    """Ponytail and bun: hair combed to a knot at the back of the head."""
    rng = np.random.default_rng([look.seed, 4])
    high = look.length if style == "ponytail" else look.volume
    pole = unit(np.array([0.0, 0.10 + 0.75 * high, -1.0]))
    thick = 0.045 + 0.05 * look.volume

    def height(q: Array) -> Array:
        return np.full(len(q), thick) + 0.05 * smoothstep(0.5, 0.0, np.linalg.norm(q - knot, axis=1))

    knot = build.head.surface(pole[None])[0]
    cap_sheet(build, body, tuple(pole), height, look, around=60, along=12, over=0.03)
    locks(
        build, body, rng, 60, lambda q: smoothstep(0.3, 0.0, hairline(q)) + 0.15, lambda q: unit(knot - q),
        lambda q: 0.5 + 0.25 * np.linalg.norm(q - knot, axis=1), lambda q: height(q) * 0.9 + 0.012, width=0.16,
        lift=0.02, gravity=0.0, comb=4.0, hug=0.6, stray=0.05,
    )  # fmt: skip
    tie = knot + pole * (thick + 0.05)
    if style == "bun":
        radius = 0.30 + 0.14 * look.volume
        a, b = np.linspace(0, 2 * np.pi, 21), np.linspace(0.02, np.pi * 0.98, 10)
        one = unit(np.cross(pole, (1.0, 0.2, 0.0)))
        two = np.cross(pole, one)
        swirl = a[:, None] + 0.9 * b[None]
        ring = np.cos(swirl)[..., None] * one + np.sin(swirl)[..., None] * two
        bump = 1 + 0.07 * np.cos(3 * swirl + b[None] * 2)
        ball = (
            tie
            + pole * radius * 0.55
            + radius * (ring * (np.sin(b)[None] * bump)[..., None] + pole * (0.8 * np.cos(b))[None, :, None])
        )
        build.sheet(ball)
        return
    count = 34
    angle = rng.uniform(0, 2 * np.pi, count)
    spread = np.sqrt(rng.random(count))
    one = unit(np.cross(pole, (1.0, 0.0, 0.0)))
    two = np.cross(pole, one)
    ring = (np.cos(angle)[:, None] * one + np.sin(angle)[:, None] * two) * spread[:, None]
    size = (1.9 + 1.8 * look.volume) * rng.uniform(0.85, 1.05, count)
    strands = grow_strands(
        build.head, tie + ring * 0.06, pole + np.array([0, 0.35, 0]) + ring * 0.45, size, 14,
        lambda q, s: 0.12 + CLOTHED * smoothstep(6.2, 5.6, q[:, 1]) + 0.12 * spread, gravity=2.4,
    )  # fmt: skip
    build.cards(strands, card_widths(strands, 0.26, root=0.4), rng.integers(0, CELLS, count), curve=0.6)
