"""What becomes of every place of the photo when one garment is taken off and another put on.

Decided at a small size, from labels and proportions alone; :mod:`vto_utils.painting` carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from . import filters, labels
from .body import ALONG, SHOULDER_ASIDE, Body, arm_chain, leg_chain, leg_radii, limb_coordinates
from .geometry import Part

LOWER = (labels.ID["pants"], labels.ID["skirt"])


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


def decide(parsing: np.ndarray, colours: np.ndarray, body: Body, parts: list[Part], category: str) -> Regions:
    """Decide what is under and over the new garment.

    Args:
        parsing: uint8 HW CIHP-20 ids, small.
        colours: uint8 HWC RGB photo of the same size.
        body: measured in pixels of ``parsing``.
        parts: of the new garment, as :func:`vto_utils.geometry.plan` gives them.
        category: of the new garment.
    """
    size, frame = parsing.shape, body.frame
    along, aside = frame.coordinates(size)
    torso = _Torso.of(body, along, aside)
    covers = {part.name: part.covers for part in parts}
    old = old_garment(parsing, along, category)
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
    if category == "upper_body" and labels.select(parsing, LOWER).any():
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
        opening = max((part.opening for part in parts), default=0.0)
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


def old_garment(parsing: np.ndarray, along: np.ndarray, category: str) -> np.ndarray:
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
