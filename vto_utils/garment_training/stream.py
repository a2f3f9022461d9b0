"""The pictures the garment reader learns from, each made from the seed and its number in the row alone.

A picture is one of: a clothing photo as it is; a synthetic flat; a garment cut out of either and laid on another
ground, often with a hanger, in the ground's own colour, or with stripes of it; several garments side by side; a
person, in the photo's own street or cut out on another ground, whole or in part; a ground with nothing on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..garment_reading import letterbox
from ..networks.garment import KINDS
from ..networks.parser import MEAN, STD
from .clothing import UNKNOWN
from .grounds import Grounds
from .painting import hang, restyle, shadowed
from .sources import Cutout, Sources

_KIND = {name: number for number, name in enumerate(KINDS)}
#: Share of each sort of picture.
SHARES = {"photo": 0.42, "flat": 0.12, "laid": 0.22, "several": 0.09, "person": 0.11, "nothing": 0.04}


@dataclass(frozen=True)
class Picture:
    """One picture with what is known of it."""

    image: np.ndarray  # (H, W, 3) uint8 RGB
    mask: np.ndarray | None  # (H, W) uint8: 255 garment, 0 ground, UNKNOWN; None: nothing is known of it
    kind: int  # of KINDS
    label: int = -1  # of LABELS; -1: not known
    category: int = -1  # of CATEGORIES; -1: not known


class GarmentStream(Dataset):
    """Pictures by number.

    Args:
        sources: where garments, people and grounds come from.
        size: (height, width) of the pictures, multiples of 32.
        seed: another one gives other pictures.
        length: how many there are.
    """

    def __init__(self, sources: Sources, size: tuple[int, int], seed: int, length: int) -> None:
        self.sources, self.size, self.seed, self.length = sources, tuple(size), seed, length
        self.grounds = Grounds(sources)
        present = sources.present()
        shares = {name: share for name, share in SHARES.items() if name in present}
        total = sum(shares.values())
        self._sorts = tuple(shares)
        self._chances = [share / total for share in shares.values()]

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([self.seed, number, 71])
        picture = augment(self.draw(rng), self.size, rng)
        return as_tensors(picture)

    def draw(self, rng: np.random.Generator) -> Picture:
        """One picture, not yet augmented, of any size."""
        sort = self._sorts[int(rng.choice(len(self._sorts), p=self._chances))]
        if sort == "photo":
            return self.sources.photo(rng)
        if sort == "flat":
            return self.sources.flat(rng)
        if sort == "person":
            return self._person(rng)
        if sort == "nothing":
            return Picture(self.grounds.draw(rng, self.size), np.zeros(self.size, np.uint8), _KIND["nothing"])
        if sort == "several":
            return self._several(rng)
        return self._laid(rng)

    def _laid(self, rng: np.random.Generator) -> Picture:
        """A garment on another ground."""
        cutout = self.sources.cutout(rng)
        ground = self.grounds.draw(rng, self.size)
        cutout = restyle(cutout, ground, rng)
        placed = place(cutout, self.size, rng, float(rng.uniform(0.5, 0.95)))
        if rng.random() < 0.25 and cutout.hangs:
            ground = hang(ground, placed.alpha, rng)
        return _over(ground, [placed], rng, _KIND["garment"], cutout)

    def _several(self, rng: np.random.Generator) -> Picture:
        """Two to four garments that hardly cover each other."""
        ground = self.grounds.draw(rng, self.size)
        height, width = self.size
        count = int(rng.choice((2, 2, 3, 4)))
        rows, columns = ((1, 2) if rng.random() < 0.65 else (2, 1)) if count == 2 else (2, 2)
        cells = rng.permutation(rows * columns)[:count]
        pieces = []
        for cell in cells:
            tall, wide = height // rows, width // columns
            cutout = restyle(self.sources.cutout(rng), ground, rng, gentle=True)
            piece = place(cutout, (tall, wide), rng, float(rng.uniform(0.75, 1.0)))
            image, alpha = np.zeros((*self.size, 3), np.float32), np.zeros(self.size, np.float32)
            y, x = cell // columns * tall, cell % columns * wide
            image[y : y + tall, x : x + wide], alpha[y : y + tall, x : x + wide] = piece.image, piece.alpha
            pieces.append(Cutout(image, alpha))
        return _over(ground, pieces, rng, _KIND["several"], None)

    def _person(self, rng: np.random.Generator) -> Picture:
        """A person, whole or a part, in the photo's own surroundings or on another ground. No garment mask."""
        image, alpha = self.sources.person(rng)
        if rng.random() < 0.5:
            ground = self.grounds.draw(rng, image.shape[:2])
            share = alpha[..., None]
            image = ground * (1 - share) + image * share
        ys, xs = np.nonzero(alpha > 0.5)
        if len(ys) > 200 and rng.random() < 0.7:
            top, bottom, left, right = ys.min(), ys.max(), xs.min(), xs.max()
            tall, wide = bottom - top, right - left
            # Most photos that are taken for a garment's show head to hips, some legs or a trunk alone.
            start, end = ((-0.03, rng.uniform(0.3, 0.7)), (0.12, rng.uniform(0.45, 0.6)), (0.42, 1.03), (-0.03, 1.03))[
                int(rng.choice(4, p=(0.45, 0.15, 0.15, 0.25)))
            ]
            side = rng.uniform(0.02, 0.4) * wide
            y0, y1 = max(0, int(top + start * tall)), min(len(image), int(top + end * tall))
            x0, x1 = max(0, int(left - side)), min(image.shape[1], int(right + side))
            image = image[y0:y1, x0:x1]
        return Picture(_bytes(image), None, _KIND["person"])


def place(cutout: Cutout, size: tuple[int, int], rng: np.random.Generator, fill: float) -> Cutout:
    """Turn, mirror and scale a cut-out so that it takes the share ``fill`` of a picture of (height, width)."""
    ys, xs = np.nonzero(cutout.alpha > 0.5)
    if len(ys) == 0:
        return Cutout(np.zeros((*size, 3), np.float32), np.zeros(size, np.float32))
    middle = np.array([(xs.min() + xs.max()) / 2, (ys.min() + ys.max()) / 2])
    span = np.array([np.ptp(xs) + 1, np.ptp(ys) + 1])
    scale = fill * min(size[1] / span[0], size[0] / span[1])
    angle = np.radians(float(rng.normal(0, 6)))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if rng.random() < 0.5:
        turn = turn @ np.diag([-1.0, 1.0])
    room = np.maximum(np.array(size[::-1]) - scale * span, 0) / 2
    target = np.array(size[::-1]) / 2 + room * rng.uniform(-0.7, 0.7, 2)
    matrix = np.concatenate([turn, (target - turn @ middle)[:, None]], 1)
    flags = cv2.INTER_AREA if scale < 0.6 else cv2.INTER_LINEAR
    image = cv2.warpAffine(cutout.image, matrix, size[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpAffine(cutout.alpha, matrix, size[::-1], flags=flags)
    return Cutout(image, alpha, cutout.label, cutout.category, cutout.hangs)


def _over(
    ground: np.ndarray, pieces: list[Cutout], rng: np.random.Generator, kind: int, shown: Cutout | None
) -> Picture:
    image, mask = ground.astype(np.float32), np.zeros(ground.shape[:2], np.float32)
    for piece in pieces:
        image = shadowed(image, piece.alpha, rng)
        share = piece.alpha[..., None]
        image = image * (1 - share) + piece.image * share
        mask = np.maximum(mask, piece.alpha)
    label, category = (-1, -1) if shown is None else (shown.label, shown.category)
    return Picture(_bytes(image), np.where(mask > 0.5, 255, 0).astype(np.uint8), kind, label, category)


def augment(picture: Picture, size: tuple[int, int], rng: np.random.Generator) -> Picture:
    """Fit a picture into (height, width), moved, turned and mirrored a little; change light, colour and sharpness."""
    image, mask = picture.image, picture.mask
    matrix = letterbox(image.shape[:2], size)
    angle, scale = np.radians(float(rng.normal(0, 4))), float(np.exp(rng.normal(0, 0.09)))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if rng.random() < 0.5:
        turn = turn @ np.diag([-1.0, 1.0])
    middle = np.array([size[1], size[0]]) / 2 - 0.5
    move = middle + rng.normal(0, 0.03, 2) * size[0] - turn @ middle
    matrix = np.concatenate([turn @ matrix[:, :2], (turn @ matrix[:, 2] + move)[:, None]], 1)
    if max(image.shape[:2]) > 1.6 * max(size):  # warpAffine does not smooth when it reduces
        factor = 1.2 * max(size) / max(image.shape[:2])
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        back = np.diag([image.shape[1] / small.shape[1], image.shape[0] / small.shape[0], 1.0])
        if mask is not None:
            mask = cv2.resize(mask, small.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        image, matrix = small, matrix @ back
    image = cv2.warpAffine(image, matrix, size[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if mask is not None:
        # Where the photo ends nothing is known, but of what has no garment at its edge.
        mask = cv2.warpAffine(mask, matrix, size[::-1], flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    value = image.astype(np.float32)
    value = value * np.exp(rng.normal(0, 0.06, 3)).astype(np.float32)  # white balance
    mean = value.mean((0, 1), keepdims=True)
    value = mean + (value - mean) * np.float32(np.exp(rng.normal(0, 0.12)))
    grey = value.mean(2, keepdims=True)
    value = grey + (value - grey) * np.float32(np.clip(1 + rng.normal(0, 0.2), 0, 2))
    value = value * np.float32(np.exp(rng.normal(0, 0.1)))
    if rng.random() < 0.2:
        value = cv2.GaussianBlur(value, (0, 0), float(rng.uniform(0.4, 1.3)))
    if rng.random() < 0.5:
        value = value + rng.normal(0, rng.uniform(0, 5), value.shape).astype(np.float32)
    image = _bytes(value)
    if rng.random() < 0.3:
        _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 90))])
        image = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    return Picture(image, mask, picture.kind, picture.label, picture.category)


def as_tensors(picture: Picture) -> dict[str, Tensor]:
    """A picture as the trainer takes it: image [3, H, W], mask [1, H, W] (-1: unknown), kind, label, category."""
    image = torch.from_numpy(picture.image.transpose(2, 0, 1).astype(np.float32))
    if picture.mask is None:
        mask = np.full(picture.image.shape[:2], -1, np.float32)
    else:
        mask = np.where(picture.mask == UNKNOWN, -1, picture.mask > 127).astype(np.float32)
    answer: dict[str, Any] = {"image": (image - MEAN) / STD, "mask": torch.from_numpy(mask)[None]}
    for name in ("kind", "label", "category"):
        answer[name] = torch.tensor(getattr(picture, name))
    return answer


def _bytes(image: np.ndarray) -> np.ndarray:
    return np.clip(np.round(image), 0, 255).astype(np.uint8)
