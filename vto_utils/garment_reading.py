"""What the garment network says of a photo: where the garment is, what it is, whether it is one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from .networks.garment import CATEGORIES, KINDS, LABELS, GarmentNet, category_logits, load_garment_net
from .networks.layers import resize
from .networks.parser import MEAN, STD

#: The weights that come with the package.
WEIGHTS = Path(__file__).parent / "weights" / "garment.safetensors"


@dataclass(frozen=True)
class Reading:
    """What the network says of one photo.

    Attributes:
        mask: float32 HW in [0, 1], of the photo's size, smooth: a quarter of the network's resolution.
        category, label, kind: the likeliest of ``CATEGORIES``, ``LABELS`` and ``KINDS``.
        categories, labels, kinds: chance of each, float32, adding to 1.
    """

    mask: np.ndarray
    category: str
    label: str
    kind: str
    categories: np.ndarray
    labels: np.ndarray
    kinds: np.ndarray

    def chance(self, kind: str) -> float:
        """Chance that the photo shows ``kind``, one of ``KINDS``."""
        return float(self.kinds[KINDS.index(kind)])


class GarmentNetReader:
    """Runs a :class:`~vto_utils.networks.garment.GarmentNet` on photos of any size.

    Args:
        net: in evaluation mode.
        size: (height, width) the photo is fitted into, multiples of 32.
    """

    def __init__(self, net: GarmentNet, size: tuple[int, int] = (224, 224)) -> None:
        self.net, self.size = net, tuple(size)

    @classmethod
    def load(cls, path: str | Path = WEIGHTS, size: tuple[int, int] = (224, 224)) -> GarmentNetReader:
        """From a file of :func:`~vto_utils.networks.garment.save_garment_net`."""
        return cls(load_garment_net(path), size)

    def read(self, photo: np.ndarray) -> Reading:
        """Read a uint8 HWC RGB photo. The photo and its mirror image are read, and the mean taken."""
        matrix = letterbox(photo.shape[:2], self.size)
        scale = matrix[0, 0]
        inner = (max(1, round(photo.shape[0] * scale)), max(1, round(photo.shape[1] * scale)))
        flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        small = cv2.resize(photo, inner[::-1], interpolation=flags)
        top, left = (self.size[0] - inner[0]) // 2, (self.size[1] - inner[1]) // 2
        rest = (self.size[0] - inner[0] - top, self.size[1] - inner[1] - left)
        padded = cv2.copyMakeBorder(small, top, rest[0], left, rest[1], cv2.BORDER_REPLICATE)
        x = torch.from_numpy(padded.transpose(2, 0, 1).astype(np.float32))[None]
        x = (x - MEAN) / STD
        device = next(self.net.parameters()).device
        with torch.inference_mode():
            answer = self.net(torch.cat([x, x.flip(3)]).to(device))
            mask = (answer.mask[:1] + answer.mask[1:].flip(3)) / 2
            mask = resize(mask, self.size).sigmoid()[0, 0].float().cpu().numpy()
            chances = [
                logits.softmax(1).mean(0).float().cpu().numpy()
                for logits in (category_logits(answer.label), answer.label, answer.kind)
            ]
        mask = mask[top : top + inner[0], left : left + inner[1]]
        mask = cv2.resize(mask, photo.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        best = [names[int(chance.argmax())] for names, chance in zip((CATEGORIES, LABELS, KINDS), chances, strict=True)]
        return Reading(mask, *best, *chances)


def letterbox(size: tuple[int, int], target: tuple[int, int]) -> np.ndarray:
    """2x3 matrix that fits a picture of (height, width) ``size`` whole into ``target``, centred."""
    scale = min(target[0] / size[0], target[1] / size[1])
    away = [(target[1] - scale * size[1]) / 2, (target[0] - scale * size[0]) / 2]
    # Pixel centres are whole numbers: the picture's corner is at -0.5.
    return np.array([[scale, 0, away[0] + 0.5 * scale - 0.5], [0, scale, away[1] + 0.5 * scale - 0.5]])
