"""Changes of training items that leave the truth about them true.

Synthetic people are drawn too well: their labels are exact, their poses are never wrong, their garments lie in the
same light. What a try-on sees of a real photo is none of that, so labels, poses and masks are spoiled as the models
spoil them (:mod:`.mistakes`), and pictures are moved and coloured here as photographers do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..errors import InputError
from .mistakes import jittered_mask, jittered_points, other_convention, turned_head, wandering_borders
from .motion import affine, flip_garment, flip_person, move_garment, move_person, round_garment
from .sample import Sample, agnostic_region

_DRAWN = 2  # stream of random numbers
_FLAT, _DOLLS = 0.4, 0.35  # shares of the largest angle: a flat lay's at most, and by how much dolls differ
_SEEN_TURN = 0.1  # radians; less is not seen


@dataclass(frozen=True)
class AugmentationConfig:
    """How often and how much; lengths are shares of the picture's height. 0 switches a change off.

    Attributes:
        flip: chance to mirror person and garment together. One without the other would show prints mirrored.
        person_shift, person_scale, person_turn: largest shift, relative change of size, turn in degrees.
        garment_shift, garment_scale, garment_turn: the same for the garment in its picture.
        garment_round: largest angle in radians by which the sides of a garment turn away, as on a shop's doll; see
            ``motion.round_garment``.
        garment_flat: chance that they hardly do: a flat lay stays one.
        garment_broad: share of its breadth that a garment may gain before.
        garment_yoke: share of its height that what is above the underarms may lose: synthetic armholes are deep.
        garment_colour: strength in [0, 1] of another colour of the garment, in its picture and as worn.
        photo_colour: strength in [0, 1] of another light in the person's photos.
        background: chance that the white around the garment is not white.
        label_noise: how far the labels' borders wander.
        mask_grow, mask_shrink: largest growth and shrinking of the agnostic mask.
        head_tilt: standard deviation in degrees of the head's tilt; see ``mistakes.turned_head``.
        point_noise: standard deviation of the key points.
        point_convention: of where shoulders and hips are said to be, in halves of their breadth.
        point_loss: chance of each key point to be unknown.
        pose_loss: chance that all are.
    """

    flip: float = 0.5
    person_shift: float = 0.03
    person_scale: float = 0.08
    person_turn: float = 3.0
    garment_shift: float = 0.03
    garment_scale: float = 0.08
    garment_turn: float = 3.0
    garment_round: float = 2.1
    garment_flat: float = 0.1
    garment_broad: float = 0.4
    garment_yoke: float = 0.45
    garment_colour: float = 0.5
    photo_colour: float = 0.3
    background: float = 0.3
    label_noise: float = 0.004
    mask_grow: float = 0.02
    mask_shrink: float = 0.006
    head_tilt: float = 12.0
    point_noise: float = 0.008
    point_convention: float = 0.08
    point_loss: float = 0.04
    pose_loss: float = 0.02

    def __post_init__(self) -> None:
        for name in ("flip", "garment_flat", "garment_colour", "photo_colour", "background", "point_loss", "pose_loss"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"The augmentation's {name} is {getattr(self, name)}: give a number from 0 to 1.")
        if not 0 <= self.garment_round <= 2.5:
            raise InputError(f"The augmentation's garment_round is {self.garment_round}: give 0 to 2.5 radians.")
        for name in ("person_shift", "person_scale", "garment_shift", "garment_scale", "garment_broad", "garment_yoke",
                     "label_noise", "mask_grow", "mask_shrink", "point_noise", "point_convention"):  # fmt: skip
            if not 0 <= getattr(self, name) <= 0.5:
                raise InputError(f"The augmentation's {name} is {getattr(self, name)}: give a number from 0 to 0.5.")


class Augmentation:
    """Changes samples; what happens to one depends on the seed, its number and the epoch alone.

    Args:
        config: how often and how much.
        seed: of everything.
    """

    def __init__(self, config: AugmentationConfig | None = None, seed: int = 0) -> None:
        self.config, self.seed = config or AugmentationConfig(), seed

    def __call__(self, sample: Sample, number: int, epoch: int = 0) -> Sample:
        """The changed sample, with an agnostic mask.

        The mask follows from the labels and key points as they are spoiled, unless the sample has its own, which
        is then moved with the person.
        """
        config, rng = self.config, np.random.default_rng([self.seed, _DRAWN, epoch, number])
        sample = _moved(sample, config, rng)
        sample = _coloured(sample, config, rng)
        parse, points = turned_head(sample.parse, sample.keypoints, config.head_tilt, rng)
        parse = wandering_borders(parse, config.label_noise * sample.size[0], rng)
        points = other_convention(points, config.point_convention, sample.places_known, rng)
        points = jittered_points(points, config.point_noise * sample.size[0], sample.places_known, rng)
        sample = replace(sample, parse=parse, keypoints=points)
        height = sample.size[0]
        region = jittered_mask(agnostic_region(sample), config.mask_grow * height, config.mask_shrink * height, rng)
        lost = (rng.random(18) < config.point_loss) | (rng.random() < config.pose_loss)
        return replace(sample, agnostic_mask=region, keypoints=np.where(lost[:, None], 0, points).astype(np.float32))


def _moved(sample: Sample, config: AugmentationConfig, rng: np.random.Generator) -> Sample:
    if rng.random() < config.flip:
        sample = flip_garment(flip_person(sample))
    limits = (
        (move_person, config.person_shift, config.person_scale, config.person_turn),
        (move_garment, config.garment_shift, config.garment_scale, config.garment_turn),
    )
    for move, shift, scale, turn in limits:
        x, y, size, angle = rng.uniform(-1, 1, 4)
        if shift or scale or turn:
            offset = x * shift * sample.size[0], y * shift * sample.size[0]
            sample = move(sample, affine(sample.size, offset, (1 + scale) ** size, angle * turn))
    return _on_a_doll(sample, config, rng)


def _on_a_doll(sample: Sample, config: AugmentationConfig, rng: np.random.Generator) -> Sample:
    """The garment as a shop shows it: mostly on a doll, which nearly all of its photos are taken of.

    A doll is slimmer than those who wear its clothes, and what is too wide for it is pinned at its back. The flats of
    synthetic samples are a little narrow already, their prints with them: on a doll they keep their breadth.
    """
    flat, turned, broad, sleeves, yoke = rng.random(5)
    turned = _FLAT * turned if flat < config.garment_flat else 1 - _DOLLS * turned
    angle, breadth = config.garment_round * turned, 1 + config.garment_broad * broad
    if angle < _SEEN_TURN:
        return sample
    narrower = np.sin(min(angle, np.pi / 2)) / angle
    if sample.category != "lower_body":
        return round_garment(sample, angle, breadth, 1 - (1 - narrower) * sleeves, 1 - config.garment_yoke * yoke)
    middle, breadth = sample.size[1] / 2, max(0.7, narrower) * breadth  # each leg is round
    return move_garment(sample, np.array([[breadth, 0, middle * (1 - breadth)], [0, 1, 0]]))


# Colour ---------------------------------------------------------------------------------------------


def _coloured(sample: Sample, config: AugmentationConfig, rng: np.random.Generator) -> Sample:
    """Another colour of the garment wherever it is seen, another light on the person, another ground."""
    dyed, lit = Colour.drawn(rng, config.garment_colour, hue=40), Colour.drawn(rng, config.photo_colour, hue=3)
    ground, dirty = rng.uniform(225, 255) + rng.normal(0, 3, 3), rng.random() < config.background
    slope = rng.normal(0, 6, 2)
    person, target = sample.person, sample.target
    if target is not None:
        same = target is person or not sample.swapped
        target = lit(_mixed(target, dyed(target), sample.target_garment))
        person = target if same else lit(person)
    else:
        person = lit(person)
    # The mask is soft: what it leaves of the white ground stays white.
    share = sample.cloth_mask.astype(np.float32)[..., None] / 255
    behind = np.full(3, 255, np.float32)
    if dirty:
        height, width = sample.size
        ramp = np.linspace(-1, 1, width)[None] * slope[0] + np.linspace(-1, 1, height)[:, None] * slope[1]
        behind = ground.astype(np.float32) + ramp[..., None].astype(np.float32)
    own = sample.cloth.astype(np.float32) - 255 * (1 - share)  # the garment's light alone
    full = np.clip(own / np.maximum(share, 1 / 16), 0, 255)
    cloth = dyed(full.astype(np.uint8)) * share + behind * (1 - share)
    cloth = np.clip(cloth + 0.5, 0, 255).astype(np.uint8)
    return replace(sample, person=person, target=target, cloth=cloth)


@dataclass(frozen=True)
class Colour:
    """A change of colour, the same for every pixel.

    Attributes:
        gamma: below 1 is brighter.
        gains: (3,) factors of red, green, blue.
        saturation: factor.
        hue: turn of the colour circle in degrees.
    """

    gamma: float = 1.0
    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    saturation: float = 1.0
    hue: float = 0.0

    @classmethod
    def drawn(cls, rng: np.random.Generator, strength: float, hue: float) -> Colour:
        """A change of this strength in [0, 1]; ``hue`` is its standard deviation in degrees at strength 1."""
        draws = rng.normal(0, strength, 6)
        gains = tuple(float(g) for g in np.exp(0.08 * draws[1:4]))
        saturation = float(np.clip(1 + 0.4 * draws[4], 0, 2))
        return cls(float(np.exp(0.3 * draws[0])), gains, saturation, float(hue * draws[5]))

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 RGB -> the same in other colours."""
        if self == Colour():
            return picture
        levels = (np.linspace(0, 1, 256)[:, None] ** self.gamma) * np.array(self.gains)
        picture = cv2.LUT(picture, np.clip(levels * 255 + 0.5, 0, 255).astype(np.uint8)[None])
        return cv2.transform(picture, self.matrix)

    @property
    def matrix(self) -> np.ndarray:
        """(3, 3) float32: turns colours about the grey axis and moves them from it."""
        angle = np.deg2rad(self.hue)
        third, root = 1 / 3, np.sqrt(1 / 3)
        around = np.cos(angle) * np.eye(3) + (1 - np.cos(angle)) * third
        around += np.sin(angle) * root * np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
        grey = np.array([[0.299, 0.587, 0.114]] * 3)
        return (grey + self.saturation * (np.eye(3) - grey) @ around).astype(np.float32)


def _mixed(picture: np.ndarray, other: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``other`` inside the bool mask, with an edge as soft as a photo's."""
    if other is picture:
        return picture
    share = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.6)[..., None]
    return (picture + (other.astype(np.float32) - picture) * share + 0.5).astype(np.uint8)
