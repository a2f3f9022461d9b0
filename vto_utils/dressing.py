"""Taking the old garment off a photo and painting the new one on: by rules, or by trained networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from . import agnostic, geometry, labels, layout_regions, painting, regions
from .body import Body
from .fitting import drape
from .garment import Garment
from .pose import Pose

if TYPE_CHECKING:
    from .fitting import Fitter, Placement

_SHADING = (0.4, 1.5)  # factors beyond are mistakes
_SMALL = 512  # pixels on the longer side at which regions are decided
_BELOW = (labels.ID["pants"], labels.ID["skirt"], *labels.LEGS)  # what a top may hang over


@dataclass(frozen=True)
class Wearer:
    """A person's photo and what was found in it.

    Attributes:
        photo: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8 person mask, 255 = person.
        pose: key points in pixels of the photo.
        parsing: (H, W) uint8 CIHP-20 ids.
    """

    photo: np.ndarray
    mask: np.ndarray
    pose: Pose
    parsing: np.ndarray


@dataclass(frozen=True)
class Dressed:
    """A painted try-on. All pictures have the photo's size.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        allowed: (H, W) bool, outside it ``image`` equals the photo.
        cover: (H, W) float32 in [0, 1], the garment where it is seen.
        bare: (H, W, 3) float32, the old garment taken off.
        warped: (H, W, 3) float32, the whole warped garment on white.
    """

    image: np.ndarray
    allowed: np.ndarray
    cover: np.ndarray
    bare: np.ndarray
    warped: np.ndarray


#: Dresses a wearer in a garment; the generator makes the grain of filled areas.
Dresser = Callable[[Wearer, Garment, np.random.Generator], Dressed]


def dress_by_rules(wearer: Wearer, garment: Garment, rng: np.random.Generator) -> Dressed:
    """The geometric try-on: places on the garment's outline go to places on the body.

    Raises:
        NoPersonError: the shoulders are not visible.
    """
    allowed = agnostic.agnostic_mask(wearer.parsing, wearer.pose, garment.category)
    small, thumbnail, small_body = _small(wearer)
    body = small_body.scaled(wearer.parsing.shape[1] / small.shape[1])
    parts = geometry.plan(garment, body)
    layers = [painting.Layer(part.name, *geometry.render(part, garment, wearer.parsing.shape)) for part in parts]
    places = regions.decide(small, thumbnail, small_body, parts, garment.category)
    return _painted(wearer, layers, places, body, allowed, rng)


class NetworkDresser:
    """The learned try-on: the networks say where the garment goes and what is in front of it.

    Args:
        fitter: the networks.
        shaded: the synthesizer's shading falls on the garment, and not that of the rules.
        painted: skin that the old garment hid is the synthesizer's, and not the photo's own continued.
    """

    def __init__(self, fitter: Fitter, shaded: bool = False, painted: bool = False) -> None:
        self.fitter, self.shaded, self.painted = fitter, shaded, painted

    def __call__(self, wearer: Wearer, garment: Garment, rng: np.random.Generator) -> Dressed:
        """Dress a wearer.

        Raises:
            NoPersonError: the shoulders are not visible.
        """
        size = wearer.parsing.shape
        small, _, small_body = _small(wearer)
        body = small_body.scaled(size[1] / small.shape[1])
        allowed = agnostic.agnostic_mask(wearer.parsing, wearer.pose, garment.category)
        placement = self.fitter.fit(wearer.photo, wearer.parsing, wearer.pose, garment)
        placement = replace(placement, layout=layout_regions.settle(placement.layout))
        placement = _extended(placement, garment, wearer.parsing == 0, body.frame.breadth)
        if garment.category == "upper_body":  # it may be longer than the old one
            below = labels.select(wearer.parsing, _BELOW)
            placement = _hung(placement, garment, below & ~allowed)
            allowed |= below
        places = layout_regions.read(placement, small, small_body, garment.category)
        colours, alpha = drape(placement, garment, size)
        seen = alpha * (1 - layout_regions.in_front(placement, size, body.frame.breadth))
        shading = np.clip(placement.at(placement.shading, size), *_SHADING) if self.shaded else None
        skin = placement.at(placement.render, size) if self.painted else None
        layers = [painting.Layer("body", colours, seen, shading)]
        return _painted(wearer, layers, places, body, allowed, rng, skin)


def _hung(placement: Placement, garment: Garment, below: np.ndarray) -> Placement:
    """With one answer to whether the top hangs over ``below``, bool HW of the photo."""
    covered, seen = _reached(placement, garment.mask), _seen(placement, below)
    return replace(placement, layout=layout_regions.hang(placement.layout, covered, seen))


def _extended(placement: Placement, garment: Garment, empty: np.ndarray, breadth: float) -> Placement:
    """With the garment reaching as far as its photo says; ``empty`` (bool HW) and ``breadth`` are the photo's."""
    covered, sleeves = _reached(placement, garment.front), _reached(placement, garment.sleeves * np.uint8(255))
    breadth *= placement.layout.shape[0] / placement.window.height
    layout = layout_regions.extend(placement.layout, covered, sleeves, _seen(placement, empty), breadth)
    return replace(placement, layout=layout)


def _reached(placement: Placement, mask: np.ndarray) -> np.ndarray:
    """Bool (h, w): which places of the window read a place of the garment picture where a uint8 mask is set."""
    x, y = ((placement.flow[..., n] + 1) * mask.shape[1 - n] / 2 - 0.5 for n in range(2))
    return cv2.remap(mask, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT) > 127


def _seen(placement: Placement, mask: np.ndarray) -> np.ndarray:
    """Bool (h, w): a bool HW mask of the photo as the window shows it."""
    return placement.window.cut(mask.astype(np.uint8), placement.layout.shape[:2], labels=True) > 0


def _small(wearer: Wearer) -> tuple[np.ndarray, np.ndarray, Body]:
    """Labels, photo and body at the size at which regions are decided."""
    height, width = wearer.parsing.shape
    scale = min(1.0, _SMALL / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(wearer.parsing, size, interpolation=cv2.INTER_NEAREST)
    pose = wearer.pose.scaled(size[0] / width, size[1] / height)
    return small, cv2.resize(wearer.photo, size, interpolation=cv2.INTER_AREA), Body.measure(pose, small)


def _painted(
    wearer: Wearer,
    layers: list[painting.Layer],
    places: regions.Regions,
    body: Body,
    allowed: np.ndarray,
    rng: np.random.Generator,
    skin: np.ndarray | None = None,
) -> Dressed:
    photo = wearer.photo.astype(np.float32)
    bare, skin = painting.undress(photo, wearer.parsing, wearer.mask, body, places, allowed, rng, skin)
    image, cover = painting.compose(photo, bare, skin, layers, places, wearer.parsing, body, allowed)
    warped = np.full(photo.shape, 255, np.float32)
    for layer in layers:
        a = layer.alpha[..., None]
        warped = warped * (1 - a) + layer.colours * a
    return Dressed(image, allowed, cover, bare, warped)
