"""Skin: albedo painted on the body's own texture layout.

A person's skin is a few operations on the maps of `skin_layout`. All colours are sRGB in [0, 1], and albedo: no light
is painted in.

Convention:
    Texture arrays have v up: the row of a texture point is ``(1 - v) * size``, its column ``u * size``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np

from .body import Body
from .curves import smoothstep
from .people import Identity
from .skin_layout import (
    DARK,
    FINE,
    HAIRLINE,
    HOLE,
    LOW,
    LOW2,
    MIDDLE,
    PALE,
    RECESS,
    RED,
    SOCKET,
    STRAND,
    STUBBLE,
    SUN,
    SkinLayout,
    layout_points,
    skin_layout,
)
from .standard import noise

_TONES = np.array([0.0, 0.16, 0.33, 0.5, 0.67, 0.84, 1.0])
_TONE_COLOURS = np.array(
    [
        (0.920, 0.785, 0.715),
        (0.885, 0.725, 0.640),
        (0.835, 0.650, 0.545),
        (0.735, 0.540, 0.425),
        (0.580, 0.405, 0.310),
        (0.420, 0.285, 0.220),
        (0.285, 0.195, 0.160),
    ]
)


@nb.njit(cache=True, fastmath=True)
def _compose(maps, texels, out, base, slope, red, scale, hair, beard, paint):
    """Colour of every covered texel: base tone, moved along the tones and towards red, then beard and scalp on top.

    scale: low, low2, middle, fine, dark, pale, sun, blush amounts. paint: scalp cover, edge, shift of the hairline,
    recess, strand contrast, stubble.
    """
    for i in range(len(texels)):
        m = maps[i]
        low = (m[LOW] - 128) / 127.0
        low2 = (m[LOW2] - 128) / 127.0
        middle = (m[MIDDLE] - 128) / 127.0
        fine = (m[FINE] - 128) / 127.0
        hole, socket = m[HOLE] / 255.0, m[SOCKET] / 255.0
        a = scale[0] * low + scale[2] * 0.5 * middle + scale[3] * fine + scale[4] * m[DARK] / 255.0
        a += -scale[5] * m[PALE] / 255.0 + scale[6] * m[SUN] / 255.0
        b = scale[7] * m[RED] / 255.0 + scale[1] * low2 + 2.5 * scale[2] * middle + socket * 1.2
        bristle = 0.0
        if m[STUBBLE] > 0 and paint[5] > 0:
            speckle = 0.85 + 0.9 * fine + 0.10 * middle
            bristle = min(max(m[STUBBLE] / 255.0 * paint[5] * speckle, 0.0), 0.85)
        cover = 0.0
        tint = 1.0
        if m[HAIRLINE] > 0:
            strand = (m[STRAND] - 128) / 127.0
            distance = m[HAIRLINE] / 255.0 - 0.5 - paint[2] - paint[3] * m[RECESS] / 255.0
            distance += 0.020 * strand + 0.012 * fine
            t = min(max((distance + 0.3 * paint[1]) / paint[1], 0.0), 1.0)
            cover = t * t * (3 - 2 * t) * paint[0]
            cover = min(max(cover * (1 + paint[4] * (0.6 * strand + 0.5 * fine)), 0.0), 1.0)
            tint = 0.80 + 0.22 * strand + 0.12 * fine
        shade = (1 - 0.86 * hole) * (1 - 0.5 * socket)
        for c in range(3):
            value = (base[c] + a * slope[c] + b * red[c]) * shade
            value += (beard[c] - value) * bristle
            value += (hair[c] * tint - value) * cover
            out[texels[i], c] = min(max(value, 0.015), 0.985)


def base_tone(tone: float, undertone: float = 0.0) -> np.ndarray:
    """(3,) sRGB of the skin of the cheek's side: ``tone`` 0 palest .. 1 darkest, ``undertone`` -1 rosy .. 1 olive."""
    colour = np.array([np.interp(tone, _TONES, _TONE_COLOURS[:, c]) for c in range(3)])
    return np.clip(colour * (1 + undertone * np.array([-0.015, 0.012, -0.03])), 0.02, 0.98)


def _blend(flat: np.ndarray, texels: np.ndarray, colour: np.ndarray, share: np.ndarray) -> None:
    flat[texels] += (np.asarray(colour, np.float32) - flat[texels]) * share[:, None].astype(np.float32)


def _paint_brows(flat: np.ndarray, layout: SkinLayout, identity: Identity, rng: np.random.Generator) -> None:
    texels, along, across, side = layout.brow
    half = 0.020 + 0.022 * identity.brow
    arch = rng.normal(0, 0.006)
    thickness = half * np.interp(along, [-0.04, 0.06, 0.35, 0.7, 1.02], [0.15, 0.85, 1.0, 0.75, 0.1])
    offset = across - arch * np.sin(np.pi * np.clip(along, 0, 1)) + 0.004
    # hairs lean: upright at the nose, along the brow at the temple
    lean = along * 46 - offset * np.interp(along, [0, 0.5, 1], [30, 130, 60])
    points = np.stack([lean * 0.5, along * 3 + side * 20, offset * 9], 1)
    hairs = noise(points, 0.35, int(identity.skin_seed % 9973))
    edge = (thickness * (1 + 0.22 * hairs) - np.abs(offset)) / (0.013 + 6.0 / layout.size * 0.5)
    cover = smoothstep(-0.2, 1.0, edge) * np.clip(0.72 + 0.3 * hairs, 0, 1) * (0.62 + 0.36 * identity.brow)
    colour = np.minimum(np.array(identity.brow_colour), base_tone(identity.tone) * (0.45 + 0.4 * identity.age))
    _blend(flat, texels, colour, cover)


def _paint_spots(flat: np.ndarray, layout: SkinLayout, identity: Identity, rng: np.random.Generator) -> None:
    """Freckles and a few moles: small soft discs that darken the skin."""
    size = layout.size
    wanted = int(round(identity.freckles * 420)) + int(rng.integers(2, 8))
    likely = layout.freckled * (0.15 + identity.freckles)
    candidates = rng.integers(0, len(layout.texels), wanted * 40)
    candidates = candidates[rng.random(len(candidates)) < likely[candidates]][:wanted]
    if not len(candidates):
        return
    centre = layout.texels[candidates]
    y, x = np.divmod(centre, size)
    radius = np.exp(rng.normal(np.log(1.05), 0.3, len(centre))) * size / 1024
    strength = rng.uniform(0.05, 0.18, len(centre)) * (1 - 0.4 * identity.tone)
    mole = rng.random(len(centre)) < (0.5 if identity.freckles == 0 else 0.02)
    strength = np.where(mole, 0.30, strength)
    reach = np.arange(-3, 4)
    dy, dx = np.meshgrid(reach, reach, indexing="ij")
    falloff = np.exp(-(dx.ravel()[None] ** 2 + dy.ravel()[None] ** 2) / (2 * np.maximum(radius, 0.45)[:, None] ** 2))
    amount = (strength * np.minimum(1, (radius / 0.45) ** 2))[:, None] * falloff
    rows = np.clip(y[:, None] + dy.ravel()[None], 0, size - 1)
    columns = np.clip(x[:, None] + dx.ravel()[None], 0, size - 1)
    total = np.zeros(size * size, np.float32)
    where = (rows * size + columns).ravel()
    np.maximum.at(total, where, amount.ravel().astype(np.float32))
    where = np.unique(where)
    flat[where] *= 1 - total[where, None] * np.array([0.75, 1.0, 1.1], np.float32)


@dataclass(frozen=True)
class _Paint:
    """The numbers `_compose` takes, for one person."""

    base: np.ndarray
    slope: np.ndarray
    red: np.ndarray
    scale: np.ndarray
    scalp: np.ndarray
    beard: np.ndarray
    paint: np.ndarray
    dark_skin: float


def _numbers(identity: Identity, rng: np.random.Generator) -> _Paint:
    tone, olive = identity.tone, identity.undertone
    base = base_tone(tone, olive)
    low, high = max(tone - 0.12, 0.0), min(tone + 0.12, 1.0)
    slope = (base_tone(high, olive) - base_tone(low, olive)) / (high - low)
    red = base * np.array([0.055, -0.20, -0.17]) * (1 - 0.55 * tone)
    dark_skin = float(smoothstep(0.45, 0.85, np.float64(tone)))
    signs = rng.choice((-1, 1), 2)
    scale = np.array(
        [
            0.024 * signs[0] * (1 + 0.6 * identity.age),  # low
            0.20 * signs[1],  # low2, red
            0.045 * (1 + 1.2 * identity.age),  # middle
            0.013,  # fine
            0.14 + 0.03 * dark_skin,  # dark
            0.03 + 0.24 * dark_skin,  # pale
            0.045 * rng.uniform(0, 1),  # sun
            0.30 + 0.55 * identity.blush,
        ]
    )
    male = identity.gender > 0.5
    clipped = identity.hair in ("bald", "shaved", "buzz")
    recess = (0.02 + 0.20 * identity.age + 0.05 * rng.random()) if male else 0.0
    paint = np.array(
        [
            {"bald": 0.10, "shaved": 0.40, "buzz": 0.80}.get(identity.hair, 0.97),  # cover
            0.10 if clipped else 0.075,  # edge
            rng.normal(0.0, 0.018) + (0.02 if male else 0.0),  # shift
            recess,
            0.5 if clipped else 0.12,  # strands
            0.62 * identity.stubble,
        ]
    )
    hair, brows = np.array(identity.hair_colour), np.array(identity.brow_colour)
    scalp = hair * 0.82 + 0.18 * base * (1.0 if clipped else 0.6)
    beard = 0.8 * brows + 0.2 * base * np.array([0.62, 0.66, 0.72])
    return _Paint(base, slope, red, scale, scalp, beard, paint, dark_skin)


def _paint_face(flat: np.ndarray, layout: SkinLayout, identity: Identity, numbers: _Paint, lips: float = 1.0) -> None:
    """Lips, the line between them, lids, lashes and brows over skin that is there."""
    male, base, dark_skin = identity.gender > 0.5, numbers.base, numbers.dark_skin
    texels, cover, upper = layout.lips
    natural = base * (np.array([0.88, 0.60, 0.60]) * (1 - dark_skin) + np.array([0.88, 0.72, 0.73]) * dark_skin)
    lip = natural + (np.array(identity.lip_colour) * (1 - 0.45 * dark_skin) - natural) * 0.8 * identity.lipstick
    wrinkle = noise(layout_points(layout, texels) * np.array([6.0, 1.0, 1.0]), 0.12, 21) * 0.05
    colour = lip[None] * (1 + wrinkle - 0.10 * upper)[:, None]
    strength = ((0.72 if male else 0.82) + 0.15 * identity.lipstick) * lips
    _blend(flat, texels, colour, cover * strength)
    _blend(flat, layout.lip_line[0], lip * 0.38, layout.lip_line[1] * 0.9 * lips)
    made_up = 0.35 * identity.lipstick
    _blend(flat, layout.lid[0], base * np.array([0.80, 0.68, 0.66]), layout.lid[1] * (0.35 * lips + made_up))
    lash = 0.35 * np.array(identity.brow_colour) + 0.10 * base
    _blend(flat, layout.lash[0], lash, np.clip(layout.lash[1] * (0.80 if male else 1.0 + 0.2 * made_up), 0, 0.97))
    _paint_brows(flat, layout, identity, np.random.default_rng([identity.skin_seed, 12]))


def skin_texture(identity: Identity, body: Body, size: int = 1024) -> np.ndarray:
    """Paint a person's skin.

    Args:
        identity: the person.
        body: whose texture layout is used.
        size: side of the square texture, 128 or more.

    Returns:
        (size, size, 3) float32 sRGB albedo in [0, 1]; the first row is v = 1.
    """
    layout = skin_layout(body, size)
    rng = np.random.default_rng([identity.skin_seed, 11])
    n = _numbers(identity, rng)
    out = np.empty((size, size, 3), np.float32)
    out[:] = n.base.astype(np.float32)
    flat = out.reshape(-1, 3)
    _compose(layout.maps, layout.texels, flat, n.base, n.slope, n.red, n.scale, n.scalp, n.beard, n.paint)
    _paint_spots(flat, layout, identity, rng)
    nail = n.base * np.array([1.04, 0.92, 0.92]) + 0.05
    _blend(flat, layout.nails[0], nail, layout.nails[1] * 0.65)
    texels, depth = layout.wrinkles
    aged = 0.06 + 0.34 * float(smoothstep(0.15, 0.7, np.float64(identity.age)))
    _blend(flat, texels, n.base * np.array([0.66, 0.56, 0.54]), depth * aged)
    _paint_face(flat, layout, identity, n)
    np.clip(out, 0.0, 1.0, out=out)
    flat[layout.gutter[0]] = flat[layout.gutter[1]]
    return out


def paint_photo(identity: Identity, body: Body, photo: np.ndarray) -> np.ndarray:
    """Paint hairline, brows, lashes and a little lip over a photographed skin (S, S, 3) float32 on the same layout.

    What clothes cover is plain painted skin: nothing intimate is taken from the photograph.

    Returns:
        (S, S, 3) float32 sRGB in [0, 1], a new array.
    """
    layout = skin_layout(body, len(photo))
    own = skin_texture(identity, body, len(photo))
    flat, mine = np.array(photo, np.float32).reshape(-1, 3), own.reshape(-1, 3)
    p = layout.position
    trunk = smoothstep(2.2, 1.8, np.abs(p[:, 0])) * smoothstep(4.7, 4.3, p[:, 1]) * smoothstep(-3.2, -2.6, p[:, 1])
    scalp = np.where(layout.maps[:, HAIRLINE] > 0, smoothstep(0.42, 0.52, layout.maps[:, HAIRLINE] / 255.0), 0)
    share = np.maximum(trunk, scalp)[:, None].astype(np.float32)
    flat[layout.texels] += (mine[layout.texels] - flat[layout.texels]) * share
    _paint_face(flat, layout, identity, _numbers(identity, np.random.default_rng([identity.skin_seed, 11])), lips=0.35)
    np.clip(flat, 0.0, 1.0, out=flat)
    flat[layout.gutter[0]] = flat[layout.gutter[1]]
    return flat.reshape(photo.shape)
