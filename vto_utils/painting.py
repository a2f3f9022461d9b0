"""Painting a try-on at the photo's own size from decisions made at a small one.

Inside the agnostic mask the old garment is taken off - what it hid becomes skin, background or the other
garment - and the warped one is laid on, behind what is in front of it. Outside nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from . import filters, labels
from .body import ALONG, SHOULDER_ASIDE, Body, arm_chain, leg_chain, leg_radii, limb_coordinates
from .geometry import Part

_LOWER = (labels.ID["pants"], labels.ID["skirt"])


@dataclass(frozen=True)
class Layer:
    """A warped piece of the garment.

    Attributes:
        name: ``body``, ``right`` or ``left``.
        colours: float32 HWC RGB in [0, 255].
        alpha: float32 HW in [0, 1].
        covers: fraction of the limb that a sleeve or leg covers.
        opening: half the width of the neck opening in breadths.
    """

    name: str
    colours: np.ndarray
    alpha: np.ndarray
    covers: float
    opening: float

    @classmethod
    def of(cls, part: Part, colours: np.ndarray, alpha: np.ndarray) -> Layer:
        return cls(part.name, colours, alpha, part.covers, part.opening)


@dataclass(frozen=True)
class Regions:
    """What each place inside the agnostic mask becomes before the garment is laid on; bool HW, small.

    Attributes:
        old: the garment to take off, and skin that the new one hides.
        skin, background, lower: what is under it.
        snug: places of the old garment that the new one should cover too, when it nearly does.
        beyond: places where the body of the new garment must not show (below the waistband it is tucked in).
        limb: skin of arms or legs that lies in front of the new garment.
        front: arms that lie in front of the torso.
        slit: width of gaps in the new garment that are closed, in breadths.
        shade: float32 HW, how much darker skin gets towards the edge of a limb, in [0, 1].
    """

    old: np.ndarray
    skin: np.ndarray
    background: np.ndarray
    lower: np.ndarray
    snug: np.ndarray
    beyond: np.ndarray
    limb: np.ndarray
    front: np.ndarray
    slit: float
    shade: np.ndarray


def decide(parsing: np.ndarray, colours: np.ndarray, body: Body, layers: list[Layer], category: str) -> Regions:
    """Decide what is under and over the new garment.

    Args:
        parsing: uint8 HW CIHP-20 ids, small.
        colours: uint8 HWC RGB photo of the same size.
        body: measured in pixels of ``parsing``.
        layers: the warped garment; only ``covers`` and ``opening`` are looked at.
        category: of the new garment.
    """
    size, frame = parsing.shape, body.frame
    along, aside = frame.coordinates(size)
    torso = _Torso.of(body, along, aside)
    covers = {layer.name: layer.covers for layer in layers}
    old = _old_garment(parsing, along, category)
    old = filters.grow(old, max(1.0, 0.012 * frame.breadth + 1))
    tops = category in ("upper_body", "dresses")
    if tops:
        old |= _collar(parsing, colours, along) & filters.grow(old, 0.1 * frame.breadth)

    nowhere = np.zeros(size, bool)
    skin, limb, front, bare_arm = nowhere.copy(), nowhere.copy(), nowhere.copy(), nowhere.copy()
    shade = np.zeros(size, np.float32)
    if tops:
        neck = (np.abs(aside) < 0.24) & (along > -0.45) & (along < 0.1)
        shoulders = (np.abs(aside) < 0.48) & (along > torso.top) & (along < 0.25)
        skin |= (torso.inside & (along < 1.02) & (along > torso.top)) | neck | shoulders
        arms = [_arm(parsing, body, torso, side, covers.get(side, 0.0), old) for side in ("right", "left")]
        for arm in arms:
            skin |= arm.skin
            limb |= arm.limb
            front |= arm.front
            shade = np.maximum(shade, arm.shade)
            old |= arm.hidden
        near = np.logical_or.reduce([arm.near for arm in arms])
        bare_arm = limb | (near & ~np.logical_or.reduce([arm.sleeve for arm in arms]))
    if category != "upper_body":
        for side in ("right", "left"):
            leg = _leg(parsing, body, along, side, covers.get(side, 0.0))
            skin |= leg.skin
            shade = np.maximum(shade, leg.shade)
            old |= leg.hidden
        if category == "lower_body":
            skin |= torso.inside & (along > 0.5) & (along < 1.1)

    lower = nowhere.copy()
    if category == "upper_body" and labels.select(parsing, _LOWER).any():
        waist = body.waist if body.waist is not None else 0.9
        lower = torso.inside & (along > max(0.85, min(waist, 1.0))) & old & ~limb
        skin &= ~lower
    # Slivers between an arm and the body are no view of the background.
    sliver = 0.06 * frame.breadth
    skin |= filters.grow(filters.grow(skin, sliver), -sliver) & ~lower
    head = labels.select(parsing, (labels.ID["hair"], labels.ID["face"]))
    background = old & ~skin & ~lower & ~filters.grow(head, 2)

    snug, beyond = nowhere.copy(), nowhere.copy()
    if category == "upper_body":
        if body.waist is not None:
            beyond = along > body.waist + 0.07
        # The sides of the chest belong to any top, the line of the shoulders to one that has sleeves.
        sides = (along > 0.25) & (np.abs(aside) > 0.25) & (np.abs(aside) < 0.5) & torso.near & ~bare_arm
        opening = max((layer.opening for layer in layers), default=0.0)
        yoke = (along < 0.3) & (np.abs(aside) > opening + 0.04) & (np.abs(aside) < 0.6) & (covers.get("right", 0) > 0)
        snug = old & (sides | yoke) & (parsing > 0) & ~beyond
    slit = 0.07 if category == "upper_body" else 0.015  # between two legs there is a gap
    return Regions(old, skin & old, background, lower, snug, beyond, limb, front, slit, shade)


@dataclass(frozen=True)
class _Torso:
    """Where the torso is: inside its outline, near it, and the height of its shoulders (in torso lengths)."""

    along: np.ndarray
    beside: np.ndarray
    inside: np.ndarray
    near: np.ndarray
    top: np.ndarray

    @classmethod
    def of(cls, body: Body, along: np.ndarray, aside: np.ndarray) -> _Torso:
        right, left = np.interp(along, ALONG, body.right_edge), np.interp(along, ALONG, body.left_edge)
        beside = np.where(aside < 0, -aside - right, aside - left)  # breadths outside the outline
        rise = np.interp(np.abs(aside), SHOULDER_ASIDE, body.shoulder_rise)
        top = rise * -body.frame.breadth / body.frame.torso
        return cls(along, beside, (beside < 0) & (along > -0.3), beside < 0.1, top)


@dataclass(frozen=True)
class _Limb:
    """Places on and around one limb; bool HW, ``shade`` float32.

    Attributes:
        skin: the limb. limb: its part that lies in front of the new garment. front: bare skin in front of the
            torso. hidden: bare skin that the new garment hides and does not happen to cover. near: within
            reach of the limb. sleeve: the part of that which is under the new sleeve. shade: see Regions.
    """

    skin: np.ndarray
    limb: np.ndarray
    front: np.ndarray
    hidden: np.ndarray
    near: np.ndarray
    sleeve: np.ndarray
    shade: np.ndarray

    @classmethod
    def missing(cls, size: tuple[int, int]) -> _Limb:
        nowhere = np.zeros(size, bool)
        return cls(*[nowhere] * 6, np.zeros(size, np.float32))


def _arm(parsing: np.ndarray, body: Body, torso: _Torso, side: str, covers: float, old: np.ndarray) -> _Limb:
    chain, radii = body.arms[side]
    if len(chain) < 2:
        return _Limb.missing(parsing.shape)
    distance, fraction = limb_coordinates(chain, radii, parsing.shape)
    on_arm = distance < 1.0
    skin = on_arm & (torso.along > torso.top)
    hand = arm_chain(body.pose, body.frame, side)
    if len(hand) == 4:  # an old sleeve may reach over the hand
        skin |= limb_coordinates(hand[2:], (0.09 * body.frame.breadth,) * 2, parsing.shape)[0] < 1
    fade = np.clip((fraction - 0.05) / 0.3, 0, 1)  # the shoulder is round on top, not at its sides
    # An arm lies in front of the body of the garment, but the shoulder is under it.
    over = torso.beside > -0.5 * np.clip(fraction - 0.3, 0, 0.5)
    bare = (parsing == labels.ID[f"{side}-arm"]) & (distance < 2.2)
    near = distance < 1.6
    return _Limb(
        skin=skin,
        limb=on_arm & (fraction > covers) & (fraction > 0.12) & over & old,
        front=bare & (fraction > 0.2),
        hidden=bare & (fraction < covers - 0.02) & (distance > 0.6) & (covers > 0),
        near=near,
        sleeve=near & (fraction < covers),
        shade=np.where(on_arm, fade * distance**2, 0).astype(np.float32),
    )


def _leg(parsing: np.ndarray, body: Body, along: np.ndarray, side: str, covers: float) -> _Limb:
    chain = leg_chain(body.pose, side)[:3]
    if len(chain) < 2:
        return _Limb.missing(parsing.shape)
    distance, fraction = limb_coordinates(chain, leg_radii(body)[: len(chain)], parsing.shape)
    on_leg = (distance < 1.0) & (along > 0.9)
    bare = parsing == labels.ID[f"{side}-leg"]
    return replace(
        _Limb.missing(parsing.shape),
        skin=on_leg & (fraction > covers - 0.03),
        hidden=bare & (fraction < covers - 0.02) & (distance > 0.6) & (covers > 0),
        shade=np.where(on_leg & (fraction > 0.1), distance**2, 0).astype(np.float32),
    )


def _old_garment(parsing: np.ndarray, along: np.ndarray, category: str) -> np.ndarray:
    """What a garment of this category takes the place of; of a dress the half that it covers."""
    old = labels.select(parsing, labels.CATEGORIES[category])
    dress = parsing == labels.ID["dress"]
    if category == "upper_body":
        old |= dress & (along <= 1.05)
    elif category == "lower_body":
        old |= dress & (along >= 0.8)
    return old


def _collar(parsing: np.ndarray, colours: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Collar and trim that were taken for skin of the neck: too light or too colourful for this person."""
    lab = cv2.cvtColor(colours.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    face = filters.grow(parsing == labels.ID["face"], -2)
    if face.sum() < 20:
        return np.zeros(parsing.shape, bool)
    middle = np.median(lab[face], axis=0)
    light = lab[..., 0] - middle[0] > 16
    other = np.hypot(lab[..., 1] - middle[1], lab[..., 2] - middle[2]) > 22
    return (parsing == labels.ID["torso-skin"]) & (light | other) & (along < 0.5)


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
) -> tuple[np.ndarray, np.ndarray]:
    """Replace the old garment by what is under it.

    Args:
        photo: float32 HWC RGB in [0, 255].
        parsing: uint8 HW ids at the photo's size.
        person: uint8 HW person mask.
        body: measured in pixels of the photo.
        regions: from :func:`decide`, small.
        allowed: bool HW agnostic mask.

    Returns:
        The photo without the garment and the picture of bare skin to lay over the new garment, float32 HWC.
    """
    size = photo.shape[:2]
    scale = min(1.0, 256 / max(size))
    unit = body.frame.breadth
    skin = _skin_colours(photo, parsing, unit, scale)
    shade = cv2.resize(regions.shade, size[::-1], interpolation=cv2.INTER_LINEAR)[..., None]
    skin = skin * (1.02 - 0.24 * np.clip(shade, 0, 1))
    skin = skin + _grain(photo, labels.select(parsing, labels.SKIN), rng)
    outside = ~filters.grow(person > 20, max(2.0, 0.025 * unit))
    background = _fill_at(photo, outside, scale) + _grain(photo, outside, rng)
    result = photo.copy()
    for mask, colours in ((regions.background, background), (regions.skin, skin)):
        soft = (_enlarge(mask, size) * allowed)[..., None]
        result = result * (1 - soft) + colours * soft
    if regions.lower.any():
        seen = labels.select(parsing, _LOWER)
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
        regions: from :func:`decide`, small.
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
    shadow = cv2.warpAffine(blur, drop, size[::-1]) * labels_soft(regions.skin, size)
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
        regions: from :func:`decide`, small.
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


def labels_soft(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A small region at full size with a soft edge."""
    return _enlarge(mask, size, 1.2)


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
        depth = cv2.GaussianBlur(solid, (0, 0), sigma)
        rounding = 0.84 + 0.16 * np.clip((depth - 0.45) / 0.5, 0, 1)
        result[layer.name] = (rounding * contact).astype(np.float32)
    sleeves = [layer.alpha for layer in layers if layer.name != "body"]
    if sleeves and "body" in result:  # sleeves lie on the body of the garment and darken it beside them
        arms = np.maximum.reduce(sleeves)
        result["body"] *= 1 - 0.18 * cv2.GaussianBlur(arms, (0, 0), max(1.0, 0.035 * unit)) * (1 - arms)
    return result
