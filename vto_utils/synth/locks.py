"""What every haircut is made from: a shell over the scalp, and short locks on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .body import Body
from .hair_cards import HairBuilder, card_widths
from .hair_texture import CELLS
from .scalp import CENTRE, meridians, standard_head, unit
from .standard import noise
from .strands import curled, grow_strands

Array = np.ndarray


@dataclass(frozen=True)
class HairLook:
    """The numbers a shape is made from, drawn from the identity."""

    length: float
    volume: float
    part: float  # x of the parting, dm
    fringe: float
    falls: str
    seed: int


def cap_sheet(
    build: HairBuilder, body: Body, pole: tuple[float, float, float], thick: Callable[[Array], Array], look: HairLook,
    around: int = 56, along: int = 12, over: float = 0.06,
) -> None:  # fmt: skip
    """A shell over the whole scalp; ``thick`` gives its height over points (N, 3)."""
    points, _ = meridians(body, pole, around, along)
    points = points.copy()
    # past the hairline by a little, so that the ragged ends lie on the skin
    points[:, -1] += unit(points[:, -1] - points[:, -2]) * over
    flat = points.reshape(-1, 3)
    _, normal = build.head.distance(flat)
    ray = unit(flat - CENTRE)
    normal = unit(0.5 * normal + 0.5 * ray)
    ripple = 1 + 0.20 * noise(flat, 0.33, look.seed % 9973) + 0.10 * noise(flat, 0.16, look.seed % 997)
    t = np.linspace(0, 1, along)
    taper = np.broadcast_to(np.sqrt(1 - 0.985 * t**6), points.shape[:2]).reshape(-1)
    height = np.maximum(thick(flat) * ripple * taper, 0.012)
    build.sheet((flat + normal * height[:, None]).reshape(points.shape))


def _scalp_points(body: Body, rng: np.random.Generator, count: int, where: Callable[[Array], Array]) -> Array:
    """Random points of the scalp, more where ``where`` (N,) is larger."""
    points = standard_head(body).scalp
    weight = np.maximum(where(points), 0) + 1e-9
    # a weighted draw without repeats: largest keys (Efraimidis and Spirakis 2006)
    keys = np.log(rng.random(len(points))) / weight
    return points[np.argsort(-keys)[:count]]


def locks(
    build: HairBuilder, body: Body, rng: np.random.Generator, count: int, where: Callable[[Array], Array],
    direction: Callable[[Array], Array], length: Callable[[Array], Array], height: Callable[[Array], Array],
    *, width: float = 0.2, steps: int = 6, lift: float = 0.5, gravity: float = 0.6, comb: float = 2.0,
    curl: float = 0.0, hug: float = 0.0, stray: float = 0.12,
) -> None:  # fmt: skip
    """Short cards that start inside the cap and follow ``direction`` (a field on points), lifted at their roots."""
    roots = _scalp_points(body, rng, count, where)
    if not len(roots):
        return
    _, normal = build.head.distance(roots)
    normal = unit(normal + unit(roots - CENTRE))
    way = direction(roots)
    way = unit(way - normal * (way * normal).sum(1, keepdims=True))
    tall = height(roots)
    start = roots + normal * (tall * 0.55)[:, None]
    size = length(roots) * rng.uniform(0.75, 1.2, len(roots))
    strands = grow_strands(
        build.head, start, way + normal * lift + stray * rng.standard_normal(way.shape), size, steps,
        lambda q, s: height(q) * (0.75 + 0.3 * s * (1 - s) * 4) * np.interp(s, [0, 0.6, 1], [1, 1, 0.8]),
        gravity=gravity, comb=lambda q, s: direction(q) * comb, keep_face_free=False, hug=hug,
    )  # fmt: skip
    if curl:
        strands = curled(strands, rng, curl, rng.uniform(2.0, 3.2, len(strands)), normal)
    wide = card_widths(strands, width * rng.uniform(0.75, 1.25, len(strands)))
    build.cards(strands, wide, rng.integers(0, CELLS, len(roots)))
