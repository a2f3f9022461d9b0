"""Painting a try-on at the photo's own size from decisions made at a small one.

Inside the agnostic mask the old garment is taken off - what it hid becomes skin, background or the other
garment - and the warped one is laid on, behind what is in front of it. Outside nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from . import filters, labels
from .body import Body
from .regions import LOWER, Regions


@dataclass(frozen=True)
class Layer:
    """A warped piece of the garment.

    Attributes:
        name: ``body``, ``right`` or ``left``.
        colours: float32 HWC RGB in [0, 255].
        alpha: float32 HW in [0, 1].
        shading: float32 HW, factor of the colours; by rules when not given.
    """

    name: str
    colours: np.ndarray
    alpha: np.ndarray
    shading: np.ndarray | None = None


def _enlarge(mask: np.ndarray, size: tuple[int, int], softness: float = 0.7) -> np.ndarray:
    """A small mask at full size with a smooth edge, float32 in [0, 1]."""
    large = cv2.resize(mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_CUBIC)
    ratio = max(size[0] / mask.shape[0], 1.0)
    large = cv2.GaussianBlur(large, (0, 0), softness * ratio)
    return np.clip((large - 0.5) * (1.5 + 0.5 * ratio) + 0.5, 0, 1)


def _grain(photo: np.ndarray, where: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise like the photo's own at ``where``, so that filled areas do not look painted."""
    if where.sum() < 200:
        return np.zeros((*photo.shape[:2], 1), np.float32)
    grey = photo.mean(2)
    detail = (grey - cv2.GaussianBlur(grey, (0, 0), 1.5))[where]
    strength = float(np.clip(1.48 * np.median(np.abs(detail)), 0, 1.5))
    noise = cv2.GaussianBlur(rng.standard_normal(photo.shape[:2]).astype(np.float32), (0, 0), 0.7)
    return noise[..., None] * (strength / max(float(noise.std()), 1e-6))


def _fill_at(photo: np.ndarray, known: np.ndarray, scale: float) -> np.ndarray:
    """Continue the colours of ``known`` over the whole picture; done small, because it is smooth."""
    height, width = known.shape
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    weight = cv2.resize(known.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    weight = np.where(weight > 0.95, weight, 0)
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    if weight.max() <= 0:
        return np.broadcast_to(photo.reshape(-1, photo.shape[-1]).mean(0), photo.shape).astype(np.float32)
    return cv2.resize(filters.fill(small, weight), (width, height), interpolation=cv2.INTER_LINEAR)


def _skin_colours(photo: np.ndarray, parsing: np.ndarray, frame_unit: float, scale: float) -> np.ndarray:
    """The person's skin continued over the whole picture, float32 HWC."""
    bare = labels.select(parsing, labels.SKIN)
    if not bare.any():
        bare = parsing == labels.ID["hair"]
    if not bare.any():
        bare = parsing > 0
    known = filters.grow(bare, -max(2.0, 0.02 * frame_unit))
    known = known if known.sum() > 50 else bare
    # Lips, eyes, hair and shadows are no skin to continue from: keep what is near the colour of the lit face.
    lab = cv2.cvtColor(photo / 255, cv2.COLOR_RGB2LAB)
    face = known & (parsing == labels.ID["face"])
    sample = lab[face if face.sum() > 50 else known]
    lit = sample[sample[:, 0] >= np.percentile(sample[:, 0], 45)]
    middle = np.median(lit, axis=0)
    darkest = np.where(parsing == labels.ID["face"], -16, -35)  # limbs round off into shade, and stay skin
    near = np.abs(lab - middle) < np.array([16, 10, 12])
    near[..., 0] = (lab[..., 0] - middle[0] > darkest) & (lab[..., 0] - middle[0] < 18)
    usual = known & near.all(2)
    return _fill_at(photo, usual if usual.sum() > 50 else known, scale)


def undress(
    photo: np.ndarray,
    parsing: np.ndarray,
    person: np.ndarray,
    body: Body,
    regions: Regions,
    allowed: np.ndarray,
    rng: np.random.Generator,
    painted: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Replace the old garment by what is under it.

    Args:
        photo: float32 HWC RGB in [0, 255].
        parsing: uint8 HW ids at the photo's size.
        person: uint8 HW person mask.
        body: measured in pixels of the photo.
        regions: from :func:`vto_utils.regions.decide`, small.
        allowed: bool HW agnostic mask.
        painted: float32 HWC RGB, the person without the garment as a network paints it, soft; its skin is taken.
            When not given, the photo's own skin is continued.

    Returns:
        The photo without the garment and the picture of bare skin to lay over the new garment, float32 HWC.
    """
    size = photo.shape[:2]
    scale = min(1.0, 256 / max(size))
    unit = body.frame.breadth
    skin = _skin_colours(photo, parsing, unit, scale)
    shade = cv2.resize(regions.shade, size[::-1], interpolation=cv2.INTER_LINEAR)[..., None]
    skin = skin * (1.02 - 0.24 * np.clip(shade, 0, 1)) if painted is None else painted
    skin = skin + _grain(photo, labels.select(parsing, labels.SKIN), rng)
    outside = ~filters.grow(person > 20, max(2.0, 0.025 * unit))
    background = _fill_at(photo, outside, scale) + _grain(photo, outside, rng)
    result = photo.copy()
    for mask, colours in ((regions.background, background), (regions.skin, skin)):
        soft = (_enlarge(mask, size) * allowed)[..., None]
        result = result * (1 - soft) + colours * soft
    if regions.lower.any():
        seen = labels.select(parsing, LOWER)
        cloth = _fill_at(photo, filters.grow(seen, -2), scale)
        soft = (_enlarge(regions.lower, size) * allowed)[..., None]
        result = result * (1 - soft) + cloth * soft
    return result, skin


def compose(
    photo: np.ndarray,
    bare: np.ndarray,
    skin: np.ndarray,
    layers: list[Layer],
    regions: Regions,
    parsing: np.ndarray,
    body: Body,
    allowed: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Lay the warped garment on.

    Args:
        photo: float32 HWC RGB in [0, 255].
        bare, skin: from :func:`undress`.
        layers: the warped garment at the photo's size, in painting order.
        regions: from :func:`vto_utils.regions.decide`, small.
        parsing: uint8 HW at the photo's size.
        body: measured in pixels of the photo.
        allowed: bool HW agnostic mask; outside it the photo is returned unchanged.

    Returns:
        The result, uint8 HWC, and the visible garment's alpha, float32 HW.
    """
    size = photo.shape[:2]
    unit = body.frame.breadth
    front = _enlarge(regions.front, size)
    limb = _enlarge(regions.limb, size)
    # What may be painted ends softly inside the region, never outside it.
    edge = filters.feather(filters.grow(allowed, -1), 1.2) * allowed
    # Against a hand or another garment it ends at once: in a soft edge the wall behind would shine between both.
    edge = np.where(filters.grow((parsing > 0) & ~allowed, 3), allowed, edge).astype(np.float32)
    colours, cover = np.zeros_like(photo), np.zeros(size, np.float32)
    shading = _shading(layers, parsing, body, size)
    for layer in layers:
        alpha = layer.alpha * edge
        if layer.name == "body":
            alpha = alpha * (1 - front) * (1 - _enlarge(regions.beyond, size))
        a = alpha[..., None]
        colours = colours * (1 - a) + np.clip(layer.colours * shading[layer.name][..., None], 0, 255) * a
        cover = cover * (1 - alpha) + alpha
    colours, cover = _close_gaps(colours, cover, regions, edge * (1 - front), unit)
    # The garment throws a soft shadow on the skin beside it.
    blur = cv2.GaussianBlur(cover, (0, 0), max(1.0, 0.025 * unit))
    drop = np.float32([[1, 0, 0], [0, 1, 0.015 * unit]])
    shadow = cv2.warpAffine(blur, drop, size[::-1]) * _enlarge(regions.skin, size, softness=1.2)
    under = bare * (1 - 0.22 * np.clip(shadow, 0, 1))[..., None]
    result = under * (1 - cover[..., None]) + colours
    over = (limb * edge)[..., None]
    result = result * (1 - over) + skin * over
    result = np.where(allowed[..., None], np.clip(np.round(result), 0, 255), photo)
    return result.astype(np.uint8), cover * (1 - over[..., 0])


def _close_gaps(
    colours: np.ndarray, cover: np.ndarray, regions: Regions, allowed: np.ndarray, unit: float
) -> tuple[np.ndarray, np.ndarray]:
    """Continue the cloth into slits between its parts and into narrow rims of the old garment.

    Args:
        colours: float32 HWC, garment colours times ``cover``.
        cover: float32 HW.
        regions: from :func:`vto_utils.regions.decide`, small.
        allowed: float32 HW, where paint may go.
        unit: the person's breadth in pixels.
    """
    size = cover.shape
    # Along a seam two soft edges meet and let what is below shine through as a thin line.
    across = max(3, 2 * round(0.012 * unit) + 1)
    whole = cv2.morphologyEx(cover, cv2.MORPH_CLOSE, np.ones((across, across), np.uint8)) * (allowed > 0.99)
    mend = (whole > cover) & (cover > 0.2)
    colours = np.where(mend[..., None], colours * (whole / np.maximum(cover, 0.2))[..., None], colours)
    cover = np.where(mend, whole, cover)
    scale = regions.old.shape[0] / size[0]
    small = cv2.resize(cover, regions.old.shape[::-1], interpolation=cv2.INTER_AREA) > 0.5
    slit = regions.slit * unit * scale
    closed = filters.grow(filters.grow(small, slit), -slit) & ~regions.limb & ~regions.beyond
    rim = regions.snug & filters.grow(small, 0.1 * unit * scale)
    wanted = (closed | rim) & ~small
    if not wanted.any():
        return colours, cover
    extra = np.maximum(_enlarge(wanted | (filters.grow(wanted, 2) & small), size) * allowed - cover, 0)
    known = cover > 0.97
    solid = np.where(known[..., None], colours, 0)
    cloth = _fill_at(solid, known, min(1.0, 384 / max(size)))
    return colours + cloth * extra[..., None], cover + extra


def _shading(layers: list[Layer], parsing: np.ndarray, body: Body, size: tuple[int, int]) -> dict[str, np.ndarray]:
    """Light falling on each piece: rounder towards its sides, darker next to what lies in front of it."""
    unit = body.frame.breadth
    occluders = labels.select(parsing, (labels.ID["hair"], labels.ID["face"], *labels.ARMS)).astype(np.float32)
    near = cv2.GaussianBlur(occluders, (0, 0), max(1.0, 0.04 * unit))
    contact = 1 - 0.22 * near * (1 - occluders)
    result = {}
    for layer in layers:
        solid = (layer.alpha > 0.5).astype(np.float32)
        sigma = max(1.0, (0.11 if layer.name == "body" else 0.05) * unit)
        if layer.shading is not None:
            result[layer.name] = layer.shading
            continue
        depth = cv2.GaussianBlur(solid, (0, 0), sigma)
        rounding = 0.84 + 0.16 * np.clip((depth - 0.45) / 0.5, 0, 1)
        result[layer.name] = (rounding * contact).astype(np.float32)
    sleeves = [layer.alpha for layer in layers if layer.name != "body"]
    if sleeves and "body" in result:  # sleeves lie on the body of the garment and darken it beside them
        arms = np.maximum.reduce(sleeves)
        result["body"] *= 1 - 0.18 * cv2.GaussianBlur(arms, (0, 0), max(1.0, 0.035 * unit)) * (1 - arms)
    return result
