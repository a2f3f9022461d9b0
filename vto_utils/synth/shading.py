"""Light: one key light with soft shadows, a fill light, light from all round, gloss; one fused kernel per part."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import cv2
import numba
import numpy as np

from . import raster

SHADOW_SIZE = 512  # pixels of the shadow map
SHADOW_SPAN = 20.0  # dm it covers
SHADOW_BIAS = 0.14  # dm
GAMMA = 2.2
DISC = np.float32(  # nine places spread over the unit disc
    [
        [0.25, 0.0], [-0.28, 0.29], [0.05, -0.55], [0.36, 0.52], [-0.71, -0.12],
        [0.62, -0.45], [-0.15, 0.86], [-0.52, -0.75], [0.95, 0.18],
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Material:
    """How a surface answers light."""

    wrap: tuple[float, float, float] = (0.12, 0.12, 0.12)  # RGB, how far light creeps round the edge; skin: more red
    gloss: float = 0.012  # strength of the highlight
    power: float = 6.0  # its sharpness
    inside: float = 0.55  # of the light that reaches the inside


SKIN = Material((0.38, 0.22, 0.16), 0.05, 14.0, 1.0)
HAIR = Material((0.25, 0.25, 0.25), 0.10, 10.0, 0.9)
EYE = Material((0.2, 0.2, 0.2), 0.5, 90.0, 1.0)
CLOTH = Material()
SHOE = Material((0.12, 0.12, 0.12), 0.06, 14.0, 0.6)


@dataclass(frozen=True)
class LightSpec:
    """The light of one picture."""

    key: tuple[float, float, float]  # direction towards the key light, x right, y up, z to the camera
    key_strength: float
    warmth: float  # red up and blue down by this share in the key light
    softness: float  # radius of the shadow's edge, shadow pixels
    fill: tuple[float, float, float]
    fill_strength: float
    ambient: float

    def params(self) -> dict:
        return asdict(self)


def sample_light(rng: np.random.Generator) -> LightSpec:
    """Studio light mostly: a large key light above the camera to one side, a weak fill, much light from all round."""
    side = float(rng.choice([-1.0, 1.0]))
    return LightSpec(
        key=(side * float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.35, 1.0)), 1.0),
        key_strength=float(rng.uniform(0.42, 0.82)),
        warmth=float(rng.normal(0, 0.03)),
        softness=float(rng.uniform(2.0, 7.0)),
        fill=(-side * 0.8, float(rng.uniform(0.1, 0.4)), 0.9),
        fill_strength=float(rng.uniform(0.06, 0.22)),
        ambient=float(rng.uniform(0.3, 0.44)),
    )


@dataclass(frozen=True)
class Part:
    """One thing in the scene."""

    name: str
    points: np.ndarray  # (V, 3) float32 dm
    normals: np.ndarray  # (V, 3) float32
    faces: np.ndarray  # (F, 3) int32
    corners: np.ndarray  # (F, 3, 2) float32 texture coordinates in [0, 1], v down
    texture: np.ndarray  # (h, w, 3) float32 RGB albedo, or (h, w, 5) with the slopes to the right and upwards
    labels: np.ndarray  # (F,) uint8 CIHP ids
    material: Material
    edge: np.ndarray | None = None  # (V,) float32
    alpha: np.ndarray | None = None  # (h, w) float32
    dither: float = 0.0
    bias: float = 0.0  # dm towards the camera, so that outer layers win


def draw(parts: list[Part], camera, height: int, width: int) -> tuple[raster.Buffer, list[int]]:
    """Rasterise all parts: the buffer and the number of each part's first triangle."""
    buffer = raster.Buffer.empty(height, width)
    bases, base = [], 0
    for part in parts:
        screen = camera.project(part.points)
        if part.bias:
            screen = screen - np.float32([0, 0, part.bias])
        raster.fill(
            buffer, np.ascontiguousarray(screen, np.float32), part.faces, base,
            edge=part.edge, corners=part.corners, alpha=part.alpha, dither=part.dither,
        )  # fmt: skip
        bases.append(base)
        base += len(part.faces)
    return buffer, bases


def shadow_map(parts: list[Part], light: LightSpec) -> tuple[np.ndarray, np.ndarray]:
    """What the key light sees: depth (S, S) float32 along its direction, and the (3, 4) float32 matrix that takes a
    point (x, y, z, 1) to column, row and depth there."""
    towards = np.asarray(light.key, np.float64)
    towards /= np.linalg.norm(towards)
    right = np.cross([0, 1, 0], towards)
    right /= np.linalg.norm(right)
    up = np.cross(towards, right)
    centre = np.mean([part.points.mean(0) for part in parts if part.name in ("body", "hair")], axis=0)
    per = SHADOW_SIZE / SHADOW_SPAN
    matrix = np.stack(
        [
            [*(right * per), SHADOW_SIZE / 2 - centre @ right * per],
            [*(-up * per), SHADOW_SIZE / 2 + centre @ up * per],
            [*(-towards), 50.0 + centre @ towards],
        ]
    ).astype(np.float32)
    buffer = raster.Buffer.empty(SHADOW_SIZE, SHADOW_SIZE)
    for part in parts:
        if part.name == "eyes":
            continue
        screen = part.points @ matrix[:, :3].T + matrix[:, 3]
        raster.fill(
            buffer, np.ascontiguousarray(screen, np.float32), part.faces,
            edge=part.edge, corners=part.corners, alpha=part.alpha, dither=part.dither,
        )  # fmt: skip
    return np.minimum(buffer.depth, 100), matrix


def openness(depth: np.ndarray, pixels_per_dm: float) -> np.ndarray:
    """How open each pixel is to light from all round, from the depth alone: (H, W) float32, 1 open."""
    small = cv2.resize(depth, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_NEAREST)
    near = small < raster.FAR / 2
    if not near.any():
        return np.ones_like(depth)
    wall = float(small[near].max()) + 0.5
    small = np.where(near, small, wall)
    result = np.ones_like(small)
    for radius, strength, reach in ((0.1, 0.30, 0.35), (0.28, 0.30, 0.8), (0.7, 0.25, 1.4)):
        blurred = cv2.GaussianBlur(small, (0, 0), max(radius * pixels_per_dm / 4, 0.5))
        result *= 1 - strength * np.clip((small - blurred) / reach, 0, 1)
    return cv2.resize(result, depth.shape[::-1], interpolation=cv2.INTER_LINEAR)


def tangents(part: Part) -> np.ndarray:
    """Directions in space in which the texture runs right and upwards: (F, 6) float32, unit length; zeros if flat."""
    if part.texture.shape[2] < 5:
        return np.zeros((1, 6), np.float32)
    a, b, c = (part.points[part.faces[:, k]] for k in range(3))
    one, two = b - a, c - a
    shape = np.float32([part.texture.shape[1], -part.texture.shape[0]])
    p, q = (part.corners[:, 1] - part.corners[:, 0]) * shape, (part.corners[:, 2] - part.corners[:, 0]) * shape
    area = p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]
    area = np.where(np.abs(area) < 1e-9, 1e-9, area)[:, None]
    right = (one * q[:, 1:] - two * p[:, 1:]) / area
    up = (two * p[:, :1] - one * q[:, :1]) / area
    right /= np.linalg.norm(right, axis=1, keepdims=True) + 1e-12
    up /= np.linalg.norm(up, axis=1, keepdims=True) + 1e-12
    return np.concatenate([right, up], 1).astype(np.float32)


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def _shade(
    triangle, weights, base, faces, points, normals, corners, texture, tangent, linear,
    wrap, gloss, power, inside, lights, ambient, shadows, matrix, softness, disc, open_, out, out_normal,
):  # fmt: skip
    height, width = triangle.shape
    th, tw = texture.shape[0], texture.shape[1]
    bumps = texture.shape[2] >= 5
    size = shadows.shape[0]
    value = np.empty(5, np.float32)
    for row in range(height):
        for column in range(width):
            k = triangle[row, column] - base
            if k < 0 or k >= faces.shape[0]:
                continue
            b0, b1 = weights[row, column, 0], weights[row, column, 1]
            b2 = 1 - b0 - b1
            i, j, m = faces[k, 0], faces[k, 1], faces[k, 2]
            u = (b0 * corners[k, 0, 0] + b1 * corners[k, 1, 0] + b2 * corners[k, 2, 0]) * tw - 0.5
            v = (b0 * corners[k, 0, 1] + b1 * corners[k, 1, 1] + b2 * corners[k, 2, 1]) * th - 0.5
            u, v = min(max(u, 0.0), tw - 1.001), min(max(v, 0.0), th - 1.001)
            x, y = int(u), int(v)
            fx, fy = u - x, v - y
            for c in range(5 if bumps else 3):
                value[c] = (texture[y, x, c] * (1 - fx) + texture[y, x + 1, c] * fx) * (1 - fy) + (
                    texture[y + 1, x, c] * (1 - fx) + texture[y + 1, x + 1, c] * fx
                ) * fy
            nx = b0 * normals[i, 0] + b1 * normals[j, 0] + b2 * normals[m, 0]
            ny = b0 * normals[i, 1] + b1 * normals[j, 1] + b2 * normals[m, 1]
            nz = b0 * normals[i, 2] + b1 * normals[j, 2] + b2 * normals[m, 2]
            if bumps:
                nx -= value[3] * tangent[k, 0] + value[4] * tangent[k, 3]
                ny -= value[3] * tangent[k, 1] + value[4] * tangent[k, 4]
                nz -= value[3] * tangent[k, 2] + value[4] * tangent[k, 5]
            length = 1 / np.sqrt(nx * nx + ny * ny + nz * nz + 1e-12)
            nx, ny, nz = nx * length, ny * length, nz * length
            dim = 1.0
            if nz < -0.02:
                nx, ny, nz = -nx, -ny, -nz
                dim = inside
            out_normal[row, column, 0] = nx
            out_normal[row, column, 1] = ny
            out_normal[row, column, 2] = nz
            px = b0 * points[i, 0] + b1 * points[j, 0] + b2 * points[m, 0]
            py = b0 * points[i, 1] + b1 * points[j, 1] + b2 * points[m, 1]
            pz = b0 * points[i, 2] + b1 * points[j, 2] + b2 * points[m, 2]
            sx = matrix[0, 0] * px + matrix[0, 1] * py + matrix[0, 2] * pz + matrix[0, 3]
            sy = matrix[1, 0] * px + matrix[1, 1] * py + matrix[1, 2] * pz + matrix[1, 3]
            sz = matrix[2, 0] * px + matrix[2, 1] * py + matrix[2, 2] * pz + matrix[2, 3] - 0.14
            spin = ((column * 374761393 + row * 668265263) & 255) * 0.0245
            cosine, sine = np.cos(spin) * softness, np.sin(spin) * softness
            lit = 0.0
            for t in range(disc.shape[0]):
                ox = int(sx + cosine * disc[t, 0] - sine * disc[t, 1])
                oy = int(sy + sine * disc[t, 0] + cosine * disc[t, 1])
                if ox < 0 or oy < 0 or ox >= size or oy >= size or shadows[oy, ox] >= sz:
                    lit += 1.0
            lit /= disc.shape[0]
            occlusion = open_[row, column]
            sky = ambient * (0.62 + 0.38 * (0.5 + 0.5 * ny)) * occlusion
            r, g, b = sky * 0.98, sky, sky * 1.03
            shine = 0.0
            for n in range(lights.shape[0]):
                lx, ly, lz = lights[n, 0], lights[n, 1], lights[n, 2]
                through = lit if n == 0 else 1.0
                cosine = nx * lx + ny * ly + nz * lz
                r += lights[n, 3] * through * max((cosine + wrap[0]) / (1 + wrap[0]), 0.0)
                g += lights[n, 4] * through * max((cosine + wrap[1]) / (1 + wrap[1]), 0.0)
                b += lights[n, 5] * through * max((cosine + wrap[2]) / (1 + wrap[2]), 0.0)
                hx, hy, hz = lx, ly, lz + 1
                half = (nx * hx + ny * hy + nz * hz) / np.sqrt(hx * hx + hy * hy + hz * hz)
                if half > 0 and cosine > 0:
                    shine += lights[n, 4] * through * half**power
            fall = (0.55 + 0.45 * occlusion) * dim
            shine *= gloss
            out[row, column, 0] = linear[int(min(max(value[0], 0.0), 1.0) * 1023)] * r * fall + shine
            out[row, column, 1] = linear[int(min(max(value[1], 0.0), 1.0) * 1023)] * g * fall + shine
            out[row, column, 2] = linear[int(min(max(value[2], 0.0), 1.0) * 1023)] * b * fall + shine


def shade(
    buffer: raster.Buffer, parts: list[Part], bases: list[int], light: LightSpec, pixels_per_dm: float
) -> tuple[np.ndarray, np.ndarray]:
    """Light the picture.

    Returns:
        (H, W, 3) float32 linear RGB, 0 where nothing is; (H, W, 3) float32 normals towards the camera.
    """
    out = np.zeros((*buffer.depth.shape, 3), np.float32)
    normal = np.zeros_like(out)
    shadows, matrix = shadow_map(parts, light)
    open_ = openness(buffer.depth, pixels_per_dm)
    lights = []
    for direction, strength, warmth in (
        (light.key, light.key_strength, light.warmth),
        (light.fill, light.fill_strength, -light.warmth),
        ((0.0, 0.1, 1.0), 0.1, 0.0),
    ):
        unit = np.asarray(direction) / np.linalg.norm(direction)
        lights.append([*unit, strength * (1 + warmth), strength, strength * (1 - warmth)])
    linear = ((np.arange(1024) / 1023) ** GAMMA).astype(np.float32)
    for part, base in zip(parts, bases, strict=True):
        material = part.material
        _shade(
            buffer.triangle, buffer.weights, base, part.faces, part.points, part.normals, part.corners, part.texture,
            tangents(part), linear, np.float32(material.wrap), np.float32(material.gloss), np.float32(material.power),
            np.float32(material.inside), np.float32(lights), np.float32(light.ambient), shadows, matrix,
            np.float32(light.softness), DISC, open_, out, normal,
        )  # fmt: skip
    return out, normal


def develop(linear: np.ndarray) -> np.ndarray:
    """Linear light to sRGB-encoded [0, 1], highlights rolled off softly: float32 of the same shape."""
    bright = np.clip(linear, 0, None)
    bright = np.where(bright > 0.7, 0.7 + 0.3 * np.tanh((bright - 0.7) / 0.3), bright)
    return bright ** np.float32(1 / GAMMA)
