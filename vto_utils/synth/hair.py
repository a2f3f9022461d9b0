"""Hair: cards and sheets grown on a standard head, then carried over to the person's own.

A strand starts at the parting (or the crown), follows the head, falls with gravity and is pushed out of head, neck and
shoulders. Sheets of strands make the hair opaque, cards over them give it locks, and `skin` paints the scalp in the
colour of the hair, so that no gap shows skin.

Convention:
    Decimetres in the rest pose. Texture: v up, the root of a strand at the larger v. Upper half: one strip for sheets;
    lower half: `CELLS` locks side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numba as nb
import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from .body import Body
from .mesh import vertex_normals
from .people import LONG_HAIR, Identity
from .skin import STANDARD, hairline, noise, smoothstep

CELLS = 8
TEXTURE = (256, 512)  # rows, columns
MARGIN = 0.06  # share of a cell left empty on either side
PAINTED = frozenset({"bald", "shaved", "buzz"})  # styles without a mesh
CENTRE = np.array([0.0, 7.42, 0.42])  # rays from here reach every point of the scalp once
CLOTHED = 0.40  # dm between skin and hair on the shoulders: clothes lie between them

Array = np.ndarray


@dataclass(frozen=True)
class HairMesh:
    """Hair in the rest pose; two-sided, cut out where the texture's alpha is below 0.5."""

    vertices: Array  # (N, 3) float32, dm
    faces: Array  # (M, 3) int32
    texture_points: Array  # (N, 2) float32, v up
    texture: Array  # (H, W, 4) float32, sRGB and alpha in [0, 1]
    normals: Array  # (N, 3) float32, unit; for shading, smoother than the faces'
    weight_bones: Array  # (N, 4) int32
    weights: Array  # (N, 4) float32, sum 1


# ---------------------------------------------------------------------------------------------------------------------
# the standard head


@nb.njit(cache=True, fastmath=True)
def _look_up(grid, points, low, step, out):
    """Trilinear values of ``grid`` (A, B, C, 4) at ``points`` (N, 3) into ``out`` (N, 4)."""
    a, b, c = grid.shape[0] - 2, grid.shape[1] - 2, grid.shape[2] - 2
    for n in range(len(points)):
        x, y, z = (points[n, 0] - low[0]) / step, (points[n, 1] - low[1]) / step, (points[n, 2] - low[2]) / step
        i, j, k = min(max(int(x), 0), a), min(max(int(y), 0), b), min(max(int(z), 0), c)
        u, v, w = min(max(x - i, 0.0), 1.0), min(max(y - j, 0.0), 1.0), min(max(z - k, 0.0), 1.0)
        for m in range(4):
            one = (grid[i, j, k, m] * (1 - w) + grid[i, j, k + 1, m] * w) * (1 - v)
            one += (grid[i, j + 1, k, m] * (1 - w) + grid[i, j + 1, k + 1, m] * w) * v
            two = (grid[i + 1, j, k, m] * (1 - w) + grid[i + 1, j, k + 1, m] * w) * (1 - v)
            two += (grid[i + 1, j + 1, k, m] * (1 - w) + grid[i + 1, j + 1, k + 1, m] * w) * v
            out[n, m] = one * (1 - u) + two * u


@nb.njit(cache=True, fastmath=True)
def _follow(points, anchors, moves, out):
    """Move ``points`` (N, 3) as the nearest of ``anchors`` (A, 3) do: a blend that is wider further away."""
    count = len(anchors)
    squared = np.empty(count, np.float32)
    for n in range(len(points)):
        least = np.float32(1e9)
        for k in range(count):
            x, y, z = points[n, 0] - anchors[k, 0], points[n, 1] - anchors[k, 1], points[n, 2] - anchors[k, 2]
            squared[k] = x * x + y * y + z * z
            least = min(least, squared[k])
        scale = 0.5 / (0.32 + 0.35 * np.sqrt(least)) ** 2
        total, x, y, z = 0.0, 0.0, 0.0, 0.0
        for k in range(count):
            power = (squared[k] - least) * scale
            if power < 9:
                weight = np.exp(-power)
                total += weight
                x += weight * moves[k, 0]
                y += weight * moves[k, 1]
                z += weight * moves[k, 2]
        out[n, 0], out[n, 1], out[n, 2] = points[n, 0] + x / total, points[n, 1] + y / total, points[n, 2] + z / total


class Head:
    """Distances, rays and anchors on the standard body, found once per process."""

    STEP = 0.1
    LOW = np.array([-2.7, 1.2, -1.7])
    HIGH = np.array([2.7, 9.1, 2.5])

    def __init__(self, body: Body) -> None:
        nodes = body.nodes(STANDARD)
        self.vertices = nodes[: body.count].astype(np.float64)
        normals = vertex_normals(self.vertices, body.faces).astype(np.float64)
        skin = np.unique(body.faces)
        p = self.vertices[skin]
        arm = np.isin(
            body.weight_bones[skin, 0],
            [k for name, k in body.bone.items() if name.startswith(("lowerarm", "wrist", "finger", "upperarm02"))],
        )
        inside = (np.abs(p[:, 0]) < 0.45) & (p[:, 2] < 1.28) & (p[:, 2] > 0.6) & (p[:, 1] < 7.5) & (p[:, 1] > 6.32)
        ear = (np.abs(p[:, 0]) > 0.70) & (p[:, 1] > 6.80) & (p[:, 1] < 7.50) & (p[:, 2] > 0.15) & (p[:, 2] < 0.68)
        upper = (p[:, 1] > 1.0) & ~arm & ~inside & ~ear
        self.skin = skin[upper]
        axes = [np.arange(low, high, self.STEP) for low, high in zip(self.LOW, self.HIGH, strict=True)]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
        tree = cKDTree(self.vertices[self.skin])
        reach, k = tree.query(grid.reshape(-1, 3), k=6, workers=1)
        nearest = self.skin[k]
        away = grid.reshape(-1, 1, 3) - self.vertices[nearest]
        # beside the surface the distance along the normal, far away the plain one; several neighbours tell the side
        side = np.einsum("nkc,nkc->nk", away, normals[nearest])
        weight = 1 / (reach + 0.05) ** 2
        within = (side * weight).sum(1) < 0
        flat = side[:, 0]
        plain = reach[:, 0] * np.where(within, -1, 1)
        flat = np.where((flat < 0) == within, flat, plain)
        near = smoothstep(0.5, 0.15, np.abs(plain))
        field = (flat * near + plain * (1 - near)).reshape(grid.shape[:3])
        slope = np.gradient(field, self.STEP)
        self.field = np.ascontiguousarray(np.stack([field, *slope], -1), np.float32)

        head = skin[(p[:, 1] > 6.35) & ~inside & ~ear]
        ray = self.vertices[head] - CENTRE
        self._radius = np.linalg.norm(ray, axis=1)
        self._rays = cKDTree(ray / self._radius[:, None])
        chosen = np.random.default_rng(3).permutation(self.skin)
        self.anchors = self._spread(chosen, 0.42)
        rays = _unit(np.random.default_rng(4).standard_normal((9000, 3)) + np.array([0, 0.35, -0.1]))
        points = self.surface(rays)
        inside = hairline(points)
        self.scalp = points[inside > 0.02]  # random points of the scalp

    def _spread(self, candidates: Array, apart: float) -> Array:
        tree = cKDTree(self.vertices[candidates])
        taken = np.zeros(len(candidates), bool)
        keep = []
        for k, point in enumerate(self.vertices[candidates]):
            if not taken[k]:
                keep.append(candidates[k])
                taken[tree.query_ball_point(point, apart)] = True
        return np.array(keep)

    def distance(self, points: Array) -> tuple[Array, Array]:
        """Signed distance (N,) to the body, ears left out, and the direction away from it (N, 3)."""
        values = np.empty((len(points), 4))
        _look_up(self.field, np.ascontiguousarray(points, np.float64), self.LOW, self.STEP, values)
        return values[:, 0], _unit(values[:, 1:])

    def surface(self, rays: Array) -> Array:
        """Points of the head, ears left out, in directions (N, 3) from `CENTRE`."""
        rays = rays / np.linalg.norm(rays, axis=1, keepdims=True)
        d, k = self._rays.query(rays, k=5, workers=1)
        w = 1 / (d + 0.02) ** 2
        radius = (self._radius[k] * w).sum(1) / w.sum(1)
        return CENTRE + rays * radius[:, None]


@lru_cache(maxsize=1)
def _head(body: Body) -> Head:
    return Head(body)


def _unit(x: Array) -> Array:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)


def _turned(axis: Array, angle: Array, vector: Array) -> Array:
    """``vector`` (3,) turned about unit ``axis`` (3,) by angles (N,): (N, 3)."""
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    return vector * c + np.cross(axis, vector) * s + axis * (axis @ vector) * (1 - c)


@lru_cache(maxsize=8)
def _cap(body: Body, pole: tuple[float, float, float], around: int, along: int) -> tuple[Array, Array]:
    """Scalp as meridians from a pole down to the hairline: points (around + 1, along, 3), the last column is the first
    again; and the length (around + 1,) of the meridians."""
    head = _head(body)
    axis = _unit(np.array(pole))
    first = _unit(np.cross(np.cross(axis, (0.0, -1.0, 0.01)), axis))
    angle = np.linspace(0, 2 * np.pi, around + 1)
    outward = _turned(axis, angle, first)
    reach = np.radians(np.linspace(0, 178, 90))
    ray = axis * np.cos(reach)[None, :, None] + outward[:, None] * np.sin(reach)[None, :, None]
    points = head.surface(ray.reshape(-1, 3))
    inside = hairline(points).reshape(len(angle), -1)
    crossing = np.argmax(inside < 0, axis=1)
    before = np.take_along_axis(inside, np.maximum(crossing - 1, 0)[:, None], 1)[:, 0]
    after = np.take_along_axis(inside, crossing[:, None], 1)[:, 0]
    end = reach[crossing - 1] + (reach[1] - reach[0]) * np.clip(before / (before - after + 1e-9), 0, 1)
    end = gaussian_filter1d(end[:-1], 1.0, mode="wrap")
    end = np.append(end, end[0])
    t = end[:, None] * np.linspace(0, 1, along)[None]
    ray = axis * np.cos(t)[..., None] + outward[:, None] * np.sin(t)[..., None]
    points = head.surface(ray.reshape(-1, 3)).reshape(ray.shape)
    length = np.linalg.norm(np.diff(points, axis=1), axis=2).sum(1)
    return points, length


# ---------------------------------------------------------------------------------------------------------------------
# strands


def _grow(
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
    p, d = roots.copy(), _unit(start)
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
        q = p + _unit(turn) * step
        if keep_face_free:
            low = -0.015 - hairline(q)
            brow = (q[:, 2] > 0.62) & (q[:, 1] > 7.15) & (low > 0)
            q = q + np.where(brow, np.minimum(low, 0.3), 0)[:, None] * edge
            held = (q[:, 2] > 0.62) & (q[:, 1] > 7.15) & (low > -0.05)
            e = (q - face) / reach
            size = np.linalg.norm(e, axis=1, keepdims=True)
            aside = _unit(e * np.array([1, 0, 0.25])) * reach * np.maximum(1 - size, 0)
            q = np.where((q[:, 1:2] < 7.5) & (size < 1), q + aside, q)
        for _ in range(2):
            distance, normal = head.distance(q)
            short = offset(q, s) - distance
            back = hug * smoothstep(7.2, 7.8, q[:, 1]) * np.maximum(short, -0.25)
            q = q + normal * np.where(short > 0, short, back)[:, None]
        touching = short > -0.08
        d = _unit(q - p)
        p = p + d * step
        out.append(p)
    return np.stack(out, 1)


class _Builder:
    """Gathers sheets and cards."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.vertices: list[Array] = []
        self.normals: list[Array] = []
        self.texture: list[Array] = []
        self.faces: list[Array] = []
        self.count = 0

    def _grid(self, points: Array, normals: Array, u: Array, v: Array) -> None:
        """A grid (A, B, 3) as triangles, with texture points (A, B) each."""
        a, b = points.shape[:2]
        index = np.arange(a * b).reshape(a, b) + self.count
        one, two, three, four = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
        triangles = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((one, four, two), (two, four, three))])
        self.vertices.append(points.reshape(-1, 3))
        self.normals.append(normals.reshape(-1, 3))
        self.texture.append(np.stack(np.broadcast_arrays(u, v), -1).reshape(-1, 2))
        self.faces.append(triangles)
        self.count += a * b

    def outward(self, points: Array) -> Array:
        """Smooth shading directions: away from the body, near the head away from its middle."""
        flat = points.reshape(-1, 3)
        _, normal = self.head.distance(flat)
        ray = _unit(flat - np.array([0, 7.4, 0.4]))
        share = smoothstep(6.2, 7.2, flat[:, 1])[:, None] * 0.8
        mixed = _unit(normal * (1 - share) + ray * share)
        return mixed.reshape(points.shape)

    def sheet(self, strands: Array, u: tuple[float, float] = (0.0, 1.0), tilt: float = 0.22) -> None:
        """Neighbouring strands (G, K, 3) as one surface, out of the texture's upper half; ``tilt`` turns the shading of
        single strands to the side."""
        g, k = strands.shape[:2]
        normals = self.outward(strands)
        across = np.gradient(strands, axis=0)
        along = np.gradient(strands, axis=1)
        own = _unit(np.cross(along, across))
        own = np.where((own * normals).sum(-1, keepdims=True) < 0, -own, own)
        lean = np.random.default_rng(g * 100 + k).normal(0, tilt, g)
        lean[-1] = lean[0]
        normals = _unit(0.55 * normals + 0.45 * own + _unit(across) * lean[:, None, None])
        uu = np.linspace(u[0], u[1], g)[:, None]
        run = np.cumsum(np.linalg.norm(np.diff(strands, axis=1), axis=2), axis=1)
        vv = 0.995 - 0.49 * np.concatenate([np.zeros((g, 1)), run], 1) / np.maximum(run[:, -1:], 1e-6)
        self._grid(strands, normals, uu, vv)

    def cards(self, strands: Array, width: Array, cells: Array, curve: float = 0.35, v: tuple = (0.495, 0.005)) -> None:
        """Ribbons along strands (G, K, 3), three points wide, their middle raised by ``curve`` half widths."""
        normals = self.outward(strands)
        along = _unit(np.gradient(strands, axis=1))
        side = _unit(np.cross(along, normals))
        up = _unit(np.cross(side, along))
        half = width[..., None] / 2
        count, steps = strands.shape[:2]
        grid = np.stack([strands - side * half, strands + up * half * curve, strands + side * half], 1)
        normal = _unit(np.stack([normals - 0.45 * side, normals, normals + 0.45 * side], 1))
        pad = MARGIN / CELLS * 0.5
        u = np.stack([cells / CELLS + pad, (cells + 0.5) / CELLS, (cells + 1) / CELLS - pad], 1)[:, :, None]
        vv = np.broadcast_to(np.linspace(v[0], v[1], steps), (count, 3, steps))
        index = np.arange(count * 3 * steps).reshape(count, 3, steps) + self.count
        one, two, three, four = index[:, :-1, :-1], index[:, 1:, :-1], index[:, 1:, 1:], index[:, :-1, 1:]
        triangles = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((one, four, two), (two, four, three))])
        self.vertices.append(grid.reshape(-1, 3))
        self.normals.append(normal.reshape(-1, 3))
        self.texture.append(np.stack(np.broadcast_arrays(u, vv), -1).reshape(-1, 2))
        self.faces.append(triangles)
        self.count += count * 3 * steps

    def arrays(self) -> tuple[Array, Array, Array, Array]:
        return (
            np.concatenate(self.vertices),
            np.concatenate(self.normals),
            np.concatenate(self.texture),
            np.concatenate(self.faces),
        )


# ---------------------------------------------------------------------------------------------------------------------
# shapes


@dataclass(frozen=True)
class _Look:
    """The numbers a shape is made from, drawn from the identity."""

    length: float
    volume: float
    part: float  # x of the parting, dm
    fringe: float
    falls: str
    seed: int


def _cap_sheet(
    build: _Builder, body: Body, pole: tuple[float, float, float], thick: Callable[[Array], Array], look: _Look,
    around: int = 56, along: int = 12, over: float = 0.06,
) -> None:  # fmt: skip
    """A shell over the whole scalp; ``thick`` gives its height over points (N, 3)."""
    points, _ = _cap(body, pole, around, along)
    points = points.copy()
    # past the hairline by a little, so that the ragged ends lie on the skin
    points[:, -1] += _unit(points[:, -1] - points[:, -2]) * over
    flat = points.reshape(-1, 3)
    _, normal = build.head.distance(flat)
    ray = _unit(flat - CENTRE)
    normal = _unit(0.5 * normal + 0.5 * ray)
    ripple = 1 + 0.20 * noise(flat, 0.33, look.seed % 9973) + 0.10 * noise(flat, 0.16, look.seed % 997)
    t = np.linspace(0, 1, along)
    taper = np.broadcast_to(np.sqrt(1 - 0.985 * t**6), points.shape[:2]).reshape(-1)
    height = np.maximum(thick(flat) * ripple * taper, 0.012)
    build.sheet((flat + normal * height[:, None]).reshape(points.shape))


def _scalp_points(body: Body, rng: np.random.Generator, count: int, where: Callable[[Array], Array]) -> Array:
    """Random points of the scalp, more where ``where`` (N,) is larger."""
    points = _head(body).scalp
    weight = np.maximum(where(points), 0) + 1e-9
    # a weighted draw without repeats: largest keys (Efraimidis and Spirakis 2006)
    keys = np.log(rng.random(len(points))) / weight
    return points[np.argsort(-keys)[:count]]


def _top(points: Array) -> Array:
    """1 on the top of the head, 0 at its sides and back."""
    return smoothstep(7.75, 8.15, points[:, 1]) * smoothstep(-0.35, 0.05, points[:, 2])


def _taper(strands: Array, width: Array | float, root: float = 0.7, tip: float = 0.45) -> Array:
    t = np.linspace(0, 1, strands.shape[1])
    profile = np.interp(t, [0, 0.25, 0.7, 1], [root, 1, 0.95, tip])
    return np.broadcast_to(np.asarray(width), (len(strands),))[:, None] * profile[None]


def _locks(
    build: _Builder, body: Body, rng: np.random.Generator, count: int, where: Callable[[Array], Array],
    direction: Callable[[Array], Array], length: Callable[[Array], Array], height: Callable[[Array], Array],
    *, width: float = 0.2, steps: int = 6, lift: float = 0.5, gravity: float = 0.6, comb: float = 2.0,
    curl: float = 0.0, hug: float = 0.0, stray: float = 0.12,
) -> None:  # fmt: skip
    """Short cards that start inside the cap and follow ``direction`` (a field on points), lifted at their roots."""
    roots = _scalp_points(body, rng, count, where)
    if not len(roots):
        return
    _, normal = build.head.distance(roots)
    normal = _unit(normal + _unit(roots - CENTRE))
    way = direction(roots)
    way = _unit(way - normal * (way * normal).sum(1, keepdims=True))
    tall = height(roots)
    start = roots + normal * (tall * 0.55)[:, None]
    size = length(roots) * rng.uniform(0.75, 1.2, len(roots))
    strands = _grow(
        build.head, start, way + normal * lift + stray * rng.standard_normal(way.shape), size, steps,
        lambda q, s: height(q) * (0.75 + 0.3 * s * (1 - s) * 4) * np.interp(s, [0, 0.6, 1], [1, 1, 0.8]),
        gravity=gravity, comb=lambda q, s: direction(q) * comb, keep_face_free=False, hug=hug,
    )  # fmt: skip
    if curl:
        strands = _curled(strands, rng, curl, rng.uniform(2.0, 3.2, len(strands)), normal)
    wide = _taper(strands, width * rng.uniform(0.75, 1.25, len(strands)))
    build.cards(strands, wide, rng.integers(0, CELLS, len(roots)))


def _outside(head: Head, strands: Array, gap: float = 0.03) -> Array:
    """Strands pushed out of the body where they are nearer than ``gap``."""
    flat = strands.reshape(-1, 3)
    for _ in range(2):
        distance, normal = head.distance(flat)
        flat = flat + normal * np.maximum(gap - distance, 0)[:, None]
    return flat.reshape(strands.shape)


def _curled(strands: Array, rng: np.random.Generator, radius: float, turns: Array, normal: Array) -> Array:
    """Wind strands about their own path."""
    along = _unit(np.gradient(strands, axis=1))
    side = _unit(np.cross(along, normal[:, None]))
    up = np.cross(side, along)
    t = np.linspace(0, 1, strands.shape[1])[None]
    phase = rng.uniform(0, 2 * np.pi, (len(strands), 1)) + 2 * np.pi * turns[:, None] * t
    grow = np.clip(t * 3, 0, 1) * radius
    return strands + side * (np.cos(phase) * grow)[..., None] + up * (np.sin(phase) * grow)[..., None]


def _short(build: _Builder, body: Body, look: _Look, style: str) -> None:
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

    _cap_sheet(build, body, (0.0, 0.86, -0.5), height, look)
    lift = {"crop": 0.30, "side_part": 0.15, "quiff": 0.30, "pixie": 0.15}[style]

    def where(q: Array) -> Array:
        clear = smoothstep(0.02, 0.14, hairline(q))
        burn = 1 - smoothstep(7.6, 7.4, q[:, 1]) * smoothstep(0.2, 0.45, q[:, 2])
        return ((0.35 if style == "pixie" else 0.12) + _top(q)) * (0.25 + 0.75 * clear) * burn

    _locks(
        build, body, rng, 190, where, direction, long, lambda q: height(q) + 0.015,
        width=0.16 if style == "crop" else 0.21, lift=lift, gravity=0.4, comb=5.0, hug=0.5,
    )  # fmt: skip


def _ball(build: _Builder, body: Body, look: _Look, style: str) -> None:
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

    _cap_sheet(build, body, (0.0, 0.93, -0.36), thick, look, around=52, along=11, over=0.03)
    count = 330 if style == "afro" else 300

    def direction(q: Array) -> Array:
        turn = noise(q, 0.4, 31)[:, None] * 3.0
        ray = _unit(q - CENTRE)
        one = _unit(np.cross(ray, np.array([0.3, 0.2, 1.0])))
        return one * np.cos(turn) + np.cross(ray, one) * np.sin(turn)

    def often(q: Array) -> Array:
        edge = smoothstep(0.3, 0.05, hairline(q)) * smoothstep(0.5, 0.8, q[:, 2])
        return 0.35 + 0.5 * smoothstep(7.0, 7.9, q[:, 1]) + 1.2 * edge * (q[:, 1] > 7.6)

    size = 0.20 + 0.10 * look.length
    _locks(
        build, body, rng, count, often, direction,
        lambda q: size * np.ones(len(q)), lambda q: height(q) * 0.86, width=0.17, steps=6, lift=1.1, gravity=0.2,
        comb=0.8, curl=0.045, stray=0.25,
    )  # fmt: skip


def _curtain_strands(
    build: _Builder, look: _Look, count: int, steps: int, length: Callable[[Array], Array], lift: float, wave: float,
    rng: np.random.Generator, jitter: float = 0.0,
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
        to = _unit(to) * (below * 7.0)[:, None]
        return np.stack([1.6 * inwards + to[:, 0], 0.5 * gravity * below + to[:, 1], to[:, 2] - 3.5 * temple], 1)

    size = length(share)
    if look.falls != "behind":
        size = size * (1 + 0.12 * forward)
    starts = roots + normal * (root + lift) * 0.35
    strands = _grow(head, starts, away, size, steps, offset, gravity=gravity, comb=comb, hug=0.3)
    if wave > 0:
        t = np.linspace(0, 1, steps)[None]
        run = np.cumsum(np.r_[0, np.linalg.norm(np.diff(strands, axis=1), axis=2).mean(0)])[None]
        phase = 2 * np.pi * run / (0.95 - 0.35 * look.volume) + 5.5 * noise(roots, 0.8, look.seed % 9973)[:, None]
        _, out = head.distance(strands.reshape(-1, 3))
        out = out.reshape(strands.shape)
        along = _unit(np.gradient(strands, axis=1))
        aside = np.cross(along, out)
        amount = wave * smoothstep(0.15, 0.5, t)
        strands = strands + aside * (np.sin(phase) * amount)[..., None]
        strands = _outside(head, strands + out * ((1 + np.cos(phase)) * 0.4 * amount)[..., None])
    return strands, forward


def _fringe(build: _Builder, look: _Look, rng: np.random.Generator, count: int = 26, inner: bool = True) -> None:
    """Hair combed over the forehead, down to about the brows."""
    head = build.head

    def strands(x: Array, lift: float, size: Array) -> Array:
        rays = _unit(np.stack([x * 0.85, np.full(len(x), 0.78), np.full(len(x), 0.40) - 0.25 * np.abs(x)], 1))
        roots = head.surface(rays)
        _, normal = head.distance(roots)
        start = np.stack([x * 0.5 + 0.12 * look.part, np.full(len(x), -0.1), np.ones(len(x))], 1)
        return _grow(
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
    build.cards(more, _taper(more, 0.2), rng.integers(0, CELLS, count))


def _long(build: _Builder, body: Body, look: _Look, style: str) -> None:
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
    _cap_sheet(build, body, (0.0, 0.93, -0.36), scalp, look, around=40, along=8, over=-0.02)
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
        outer = _outside(build.head, _curled(outer, rng, curl, rng.uniform(5, 8, count), normal))
    x, y = np.abs(outer[..., 0]), outer[..., 1]
    outer = outer[~((x > 1.15) & (y > 5.3) & (y < 6.8)).any(1)]  # none sticks out over the shoulder
    count = len(outer)
    build.cards(outer, _taper(outer, 0.24 * rng.uniform(0.8, 1.3, count)), rng.integers(0, CELLS, count))
    if look.fringe > 0:
        _fringe(build, look, rng)


def _tied(build: _Builder, body: Body, look: _Look, style: str) -> None:
    """Ponytail and bun: hair combed to a knot at the back of the head."""
    rng = np.random.default_rng([look.seed, 4])
    high = look.length if style == "ponytail" else look.volume
    pole = _unit(np.array([0.0, 0.10 + 0.75 * high, -1.0]))
    thick = 0.045 + 0.05 * look.volume

    def height(q: Array) -> Array:
        return np.full(len(q), thick) + 0.05 * smoothstep(0.5, 0.0, np.linalg.norm(q - knot, axis=1))

    knot = build.head.surface(pole[None])[0]
    _cap_sheet(build, body, tuple(pole), height, look, around=60, along=12, over=0.03)
    _locks(
        build, body, rng, 60, lambda q: smoothstep(0.3, 0.0, hairline(q)) + 0.15, lambda q: _unit(knot - q),
        lambda q: 0.5 + 0.25 * np.linalg.norm(q - knot, axis=1), lambda q: height(q) * 0.9 + 0.012, width=0.16,
        lift=0.02, gravity=0.0, comb=4.0, hug=0.6, stray=0.05,
    )  # fmt: skip
    tie = knot + pole * (thick + 0.05)
    if style == "bun":
        radius = 0.30 + 0.14 * look.volume
        a, b = np.linspace(0, 2 * np.pi, 21), np.linspace(0.02, np.pi * 0.98, 10)
        one = _unit(np.cross(pole, (1.0, 0.2, 0.0)))
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
    one = _unit(np.cross(pole, (1.0, 0.0, 0.0)))
    two = np.cross(pole, one)
    ring = (np.cos(angle)[:, None] * one + np.sin(angle)[:, None] * two) * spread[:, None]
    size = (1.9 + 1.8 * look.volume) * rng.uniform(0.85, 1.05, count)
    strands = _grow(
        build.head, tie + ring * 0.06, pole + np.array([0, 0.35, 0]) + ring * 0.45, size, 14,
        lambda q, s: 0.12 + CLOTHED * smoothstep(6.2, 5.6, q[:, 1]) + 0.12 * spread, gravity=2.4,
    )  # fmt: skip
    build.cards(strands, _taper(strands, 0.26, root=0.4), rng.integers(0, CELLS, count), curve=0.6)


def _shape(body: Body, identity: Identity) -> _Builder:
    """Grow the hair of a person on the standard head."""
    build = _Builder(_head(body))
    falls = identity.falls if identity.hair in LONG_HAIR or identity.hair == "lob" else "behind"
    look = _Look(
        length=identity.hair_length,
        volume=identity.hair_volume,
        part=float(np.clip(identity.parting, -1, 1)) * 0.34,
        fringe=identity.fringe,
        falls=falls,
        seed=identity.hair_seed,
    )
    style = identity.hair
    if style in ("crop", "side_part", "quiff", "pixie"):
        _short(build, body, look, style)
    elif style in ("afro", "curls"):
        _ball(build, body, look, style)
    elif style in ("ponytail", "bun"):
        _tied(build, body, look, style)
        if look.fringe > 0:
            _fringe(build, look, np.random.default_rng([look.seed, 5]))
    else:
        _long(build, body, look, style)
    return build


# ---------------------------------------------------------------------------------------------------------------------
# texture


@lru_cache(maxsize=8)
def _pattern(kind: str, variant: int) -> tuple[Array, Array, Array]:
    """Streaks (H, W), alpha (H, W) and tone (H, 1) of a kind of hair: "smooth", "wavy" or "curly"."""
    rng = np.random.default_rng([91, variant])
    rows, columns = TEXTURE
    half = rows // 2
    cell = columns // CELLS

    def streaks(height: int, width: int, sizes: tuple[float, ...], wander: float) -> Array:
        total = np.zeros((height, width))
        y = np.linspace(0, 1, height)[:, None]
        x = np.arange(width)[None]
        for size in sizes:
            knots = rng.standard_normal(width)
            knots = gaussian_filter1d(knots, size, mode="wrap")
            knots /= knots.std()
            turns = x * 2 * np.pi / width * rng.integers(1, 4)
            bend = wander * np.sin(y * rng.uniform(3, 7) + turns + rng.uniform(0, 6))
            total += np.interp((x + bend) % width, np.arange(width), knots) / len(sizes) ** 0.5
        return total

    if kind == "curly":
        blobs = np.stack(
            [gaussian_filter1d(gaussian_filter1d(rng.standard_normal((rows, columns)), s, 0), s, 1) for s in (1.6, 3.2)]
        )
        blobs /= blobs.std(axis=(1, 2), keepdims=True)
        light = 0.7 * blobs[0] + 0.25 * blobs[1]
    else:
        wander = 2.0 if kind == "smooth" else 5.0
        strips = [streaks(half, columns, sizes, wander) for sizes in ((0.9, 2.2, 6.0), (0.8, 1.8, 4.0))]
        light = np.concatenate(strips)
    alpha = np.ones((rows, columns))
    # sheets: opaque, frayed at their lower edge
    ends = 0.035 + 0.05 * gaussian_filter1d(rng.standard_normal(columns), 1.2, mode="wrap")
    ends += 0.04 * gaussian_filter1d(rng.standard_normal(columns), 5, mode="wrap")
    v = 1 - (np.arange(half) + 0.5) / half
    alpha[:half] = np.clip((v[:, None] - np.clip(ends, 0.005, 0.2)[None]) * half * 0.35 + 0.5, 0, 1)
    # locks: strands of different lengths that thin out
    for c in range(CELLS):
        x = (np.arange(cell) + 0.5) / cell * 2 - 1
        strand = gaussian_filter1d(rng.standard_normal(cell), 0.9)
        strand /= strand.std()
        tip = np.clip(0.04 + 0.10 * np.abs(x) ** 1.5 + 0.05 * strand, 0.01, 0.5)
        inside = (v[:, None] - tip[None]) * half * 0.25
        bound = 1 - MARGIN * 2 - 0.20 * rng.random() - 0.18 * (1 - v) ** 2 + 0.05 * np.sin(v * 9 + rng.uniform(0, 6))
        edge = (bound[:, None] - np.abs(x)[None] + 0.10 * strand[None]) * cell * 0.3
        gap = (strand[None] + 1.55 - 0.9 * (1 - v[:, None])) * 1.2
        if kind == "curly":
            gap = light[half:, c * cell : (c + 1) * cell] + 0.9
        block = np.minimum(np.minimum(inside, edge), gap) + 0.5
        alpha[half:, c * cell : (c + 1) * cell] = np.clip(block, 0, 1)
    depth = np.concatenate([v, v])[:, None]
    tone = 0.78 + 0.22 * smoothstep(1.0, 0.72, depth)  # roots are darker
    tone = tone * (1 + 0.16 * np.exp(-(((depth - 0.70) / 0.13) ** 2)))  # a faint band of light
    tone = tone * (1 + 0.10 * smoothstep(0.45, 0.0, depth))
    shade = rng.uniform(-0.4, 0.4, CELLS)
    light[half:] += np.repeat(shade, cell)[None]
    return light.astype(np.float32), alpha.astype(np.float32), tone.astype(np.float32)


def hair_texture(identity: Identity) -> Array:
    """(256, 512, 4) float32: sRGB and alpha. Streaks along v, roots darker, a faint band of light."""
    kind = {"afro": "curly", "curls": "curly", "long_curly": "wavy", "long_wavy": "wavy"}.get(identity.hair, "smooth")
    light, alpha, tone = _pattern(kind, identity.hair_seed % 4)
    colour = np.array(identity.hair_colour, np.float32)
    contrast = np.float32(0.13 - 0.06 * colour.mean())
    value = np.exp(contrast * light) * tone
    warm = np.clip(light, -1, 1)
    out = np.empty((*light.shape, 4), np.float32)
    for c, tint in enumerate((0.05, 0.01, -0.03)):
        out[..., c] = colour[c] * value * (1 + np.float32(tint) * warm)
    out[..., 3] = alpha
    np.clip(out[..., :3], 0.01, 0.97, out=out[..., :3])
    return out


# ---------------------------------------------------------------------------------------------------------------------
# onto the person


def _carry(body: Body, points: Array, nodes: Array) -> Array:
    """Move points from the standard body to another one: they follow the nearest places of its skin."""
    head = _head(body)
    anchor = head.vertices[head.anchors].astype(np.float32)
    moved = nodes[head.anchors].astype(np.float32) - anchor
    points = np.ascontiguousarray(points, np.float32)
    out = np.empty_like(points)
    _follow(points, anchor, moved, out)
    return out


def hair_weights(body: Body, points: Array) -> tuple[Array, Array]:
    """Bones (N, 4) and weights (N, 4) of hair at points (N, 3) of the standard body: the head, and further down the
    chest, so that long hair rests there when the head turns."""
    y = points[:, 1]
    head = smoothstep(5.35, 6.75, y)
    neck = smoothstep(4.9, 6.0, y) * (1 - head)
    chest = 1 - head - neck
    low = smoothstep(4.6, 3.0, y) * chest
    weights = np.stack([head, neck, chest - low, low], 1).astype(np.float32)
    bones = np.array([body.bone[name] for name in ("head", "neck02", "spine01", "spine02")], np.int32)
    return np.broadcast_to(bones, (len(points), 4)).copy(), weights / weights.sum(1, keepdims=True)


def hair(identity: Identity, body: Body, nodes: Array) -> HairMesh | None:
    """Make a person's hair.

    Args:
        identity: the person.
        body: the body.
        nodes: of `Body.nodes` for ``identity.body_shape()``.

    Returns:
        The mesh in the rest pose, at most 8000 triangles, or None where paint on the scalp is all (`skin`).
    """
    if identity.hair in PAINTED:
        return None
    points, normals, texture_points, faces = _shape(body, identity).arrays()
    bones, weights = hair_weights(body, points)
    return HairMesh(
        vertices=_carry(body, points, nodes).astype(np.float32),
        faces=faces.astype(np.int32),
        texture_points=texture_points.astype(np.float32),
        texture=hair_texture(identity),
        normals=_unit(normals).astype(np.float32),
        weight_bones=bones,
        weights=weights,
    )
