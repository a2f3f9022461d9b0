"""Where a garment goes on a person, decided by the trained networks at their own small size.

The networks see the part of the photo that holds the person, at 256x192. What they answer is smooth - a flow, chances
of a few classes, colours of skin - and is brought to the photo's size here; the garment itself is then read from its
own photo at full size.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from . import agnostic
from .errors import InputError
from .garment import CATEGORIES, Garment
from .pose import Pose

if TYPE_CHECKING:
    from .networks import GMM, TryOnSynthesizer

#: The weights that come with the package: a folder of :mod:`vto_utils.checkpoints`.
WEIGHTS = Path(__file__).parent / "weights" / "tryon"
SIZE = (256, 192)  # (height, width) at which the networks think
_MARGIN = 0.05  # around the person, as a share of the height of the window


@dataclass(frozen=True)
class Window:
    """The part of a photo that the networks see, in pixels; it may reach beyond the photo.

    Attributes:
        left, top: of its corner, negative where it begins outside.
        width, height: 3:4, to the pixel.
    """

    left: int
    top: int
    width: int
    height: int

    @classmethod
    def around(cls, mask: np.ndarray, size: tuple[int, int] = SIZE) -> Window:
        """The smallest window with room around what a bool HW mask shows, within the picture as far as it goes."""
        ys, xs = np.nonzero(mask)
        if not len(xs):
            ys, xs = np.array([0, mask.shape[0] - 1]), np.array([0, mask.shape[1] - 1])
        tall, wide = np.ptp(ys) + 1, np.ptp(xs) + 1
        height = max(tall, wide * size[0] / size[1]) / (1 - 2 * _MARGIN)
        # A person who is cut off by the photo's edge is seen up to that edge, not beyond.
        height = min(height, max(mask.shape[0], tall, wide * size[0] / size[1], mask.shape[1] * size[0] / size[1]))
        width = round(height * size[1] / size[0])
        height = round(height)
        left = _placed((xs.min() + xs.max() + 1 - width) / 2, width, mask.shape[1])
        top = _placed((ys.min() + ys.max() + 1 - height) / 2, height, mask.shape[0])
        return cls(left, top, width, height)

    def cut(self, picture: np.ndarray, size: tuple[int, int], outside: int = 0, labels: bool = False) -> np.ndarray:
        """What the window shows of an HW or HWC picture, at ``size``; ``outside`` where there is no photo."""
        height, width = picture.shape[:2]
        y0, x0 = max(self.top, 0), max(self.left, 0)
        y1, x1 = min(self.top + self.height, height), min(self.left + self.width, width)
        border = (y0 - self.top, self.top + self.height - y1, x0 - self.left, self.left + self.width - x1)
        shown = cv2.copyMakeBorder(
            picture[y0:y1, x0:x1], *border, cv2.BORDER_CONSTANT, value=(outside, outside, outside)
        )
        return cv2.resize(shown, size[::-1], interpolation=cv2.INTER_NEAREST if labels else cv2.INTER_AREA)

    def points(self, keypoints: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """(N, 3) key points of the photo in pixels of the window at ``size``."""
        scale = np.float32([size[1] / self.width, size[0] / self.height])
        result = keypoints.astype(np.float32).copy()
        result[:, :2] = (result[:, :2] - np.float32([self.left, self.top])) * scale
        return result

    def matrix(self, size: tuple[int, int], photo: tuple[int, int], shown: tuple[int, int]) -> np.ndarray:
        """(2, 3) affine matrix from pixels of a photo that is shown at another size to pixels of the window.

        Args:
            size: (height, width) at which the window is held.
            photo: (height, width) of the photo that the window is of.
            shown: (height, width) at which the photo is now wanted.
        """
        x, y = photo[1] / shown[1], photo[0] / shown[0]  # photo pixels per pixel
        sx, sy = size[1] / self.width, size[0] / self.height
        # Pixel n is at n + 0.5.
        return np.float32(
            [
                [x * sx, 0, (0.5 * x - self.left) * sx - 0.5],
                [0, y * sy, (0.5 * y - self.top) * sy - 0.5],
            ]
        )


def _placed(start: float, length: int, whole: int) -> int:
    if length >= whole:  # in the middle
        return round((whole - length) / 2)
    return int(np.clip(round(start), 0, whole - length))


@dataclass(frozen=True)
class Placement:
    """How the networks dress a person. All arrays are float32 and cover the window at one size (h, w).

    Attributes:
        photo: (height, width) of the person photo.
        window: the part of it.
        flow: (h, w, 2) place in the garment picture, normalised x, y as ``grid_sample(align_corners=False)`` has it.
        layout: (h, w, 7) chances of the classes of :data:`vto_utils.networks.LAYOUT`.
        render: (h, w, 3) RGB in [0, 255]: everything but the garment.
        shading: (h, w) factor of the garment's brightness.
    """

    photo: tuple[int, int]
    window: Window
    flow: np.ndarray
    layout: np.ndarray
    render: np.ndarray
    shading: np.ndarray

    def at(self, values: np.ndarray, size: tuple[int, int], border: int = cv2.BORDER_REPLICATE) -> np.ndarray:
        """One of the arrays over the whole photo at ``size``, enlarged smoothly."""
        matrix = self.window.matrix(values.shape[:2], self.photo, size)
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        planes = [values] if values.ndim == 2 else [values[..., n] for n in range(values.shape[2])]
        shown = [cv2.warpAffine(plane, matrix, size[::-1], flags=flags, borderMode=border) for plane in planes]
        return shown[0] if values.ndim == 2 else np.stack(shown, -1)

    def places(self, size: tuple[int, int]) -> np.ndarray:
        """(H, W, 2) float32 the flow over the whole photo at ``size``."""
        h, w = self.flow.shape[:2]
        # The displacement is enlarged, not the place: places would stop short of the last half pixel.
        ys, xs = np.mgrid[0:h, 0:w].astype(np.float32)
        own = np.stack([(2 * xs + 1) / w - 1, (2 * ys + 1) / h - 1], -1)
        moved = self.at(self.flow - own, size)
        a = self.window.matrix((h, w), self.photo, size)
        x = (2 * (a[0, 0] * np.arange(size[1], dtype=np.float32) + a[0, 2]) + 1) / w - 1
        y = (2 * (a[1, 1] * np.arange(size[0], dtype=np.float32) + a[1, 2]) + 1) / h - 1
        moved[..., 0] += x[None]
        moved[..., 1] += y[:, None]
        return moved


class Fitter:
    """The trained networks. Load once, call many times.

    Args:
        weights: folder of a checkpoint.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        refine: steps by which each warp is fitted to its layout (:mod:`vto_utils.refinement`); 0 for none.

    Raises:
        InputError: there is no checkpoint, or it is built for other inputs.
    """

    def __init__(self, weights: str | os.PathLike = WEIGHTS, device: str = "auto", refine: int = 0) -> None:
        from .checkpoints import load_checkpoint
        from .networks.inputs import GARMENT_CHANNELS, PERSON_CHANNELS
        from .runtime import pick_device

        self.device, self.refine = pick_device(device).value, refine
        loaded = load_checkpoint(weights)
        self.gmm: GMM = loaded.gmm.to(self.device)
        self.tom: TryOnSynthesizer = loaded.tom.to(self.device)
        shape = self.gmm.config.person_channels, self.gmm.config.garment_channels, self.tom.config.layout_classes
        if shape[:2] != (PERSON_CHANNELS, GARMENT_CHANNELS) or not shape[2]:
            raise InputError(
                f"The checkpoint {weights} is built for pairs of photos: "
                "give one that `python -m vto_utils train` made."
            )

    def fit(self, photo: np.ndarray, parsing: np.ndarray, pose: Pose, garment: Garment) -> Placement:
        """Decide where a garment goes.

        Args:
            photo: (H, W, 3) uint8 RGB.
            parsing: (H, W) uint8 CIHP-20 ids.
            pose: key points in pixels of the photo.
            garment: read from its own photo; its category says what it replaces.

        Raises:
            NoPersonError: the shoulders are not visible.
        """
        import torch

        from .networks import garment_input, person_layout, synthesizer_inputs
        from .refinement import RefinementConfig, refine

        window = Window.around(parsing > 0)
        points = window.points(pose.keypoints, SIZE)
        labels = window.cut(parsing, SIZE, labels=True)
        hidden = agnostic.agnostic_mask(labels, Pose(points), garment.category)

        def tensor(array: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(array))[None].to(self.device)

        def picture(array: np.ndarray) -> torch.Tensor:
            return tensor(array.transpose(2, 0, 1)).float() / 127.5 - 1

        with torch.no_grad():
            mask, keypoints = tensor(hidden[None]).float(), tensor(points)
            category = torch.tensor([CATEGORIES.index(garment.category)], device=self.device)
            cloth = cv2.resize(np.asarray(garment.image), SIZE[::-1], interpolation=cv2.INTER_AREA)
            cloth_mask = cv2.resize(garment.mask, SIZE[::-1], interpolation=cv2.INTER_AREA)
            worn = garment_input(picture(cloth), tensor(cloth_mask[None]).float() / 255)
            found = self.gmm.warp(person_layout(tensor(labels), mask, keypoints, category), worn)
            if self.refine:
                found = refine(found, worn, RefinementConfig(steps=self.refine))
            person = picture(window.cut(photo, SIZE, outside=127))
            made = self.tom.synthesize(**synthesizer_inputs(person, mask, keypoints, found))

        def plain(x: torch.Tensor) -> np.ndarray:
            return np.ascontiguousarray(x[0].float().permute(1, 2, 0).cpu().numpy())

        return Placement(
            photo.shape[:2], window, plain(found.flow), plain(found.layout.softmax(1)),
            (plain(made.render) + 1) * 127.5, plain(made.shading)[..., 0],
        )  # fmt: skip


def drape(placement: Placement, garment: Garment, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Read the garment's own photo through the flow.

    Args:
        size: (height, width) at which the person photo is painted.

    Returns:
        RGB float32 HWC in [0, 255] and alpha float32 HW in [0, 1], the garment whole, whatever lies in front of it, but
        for the inside of its back.
    """
    places = placement.places(size)
    texture, mask = garment.texture, garment.front
    tall, wide = mask.shape
    map_x, map_y = (places[..., 0] + 1) * wide / 2 - 0.5, (places[..., 1] + 1) * tall / 2 - 0.5
    inside = (map_x > 0) & (map_x < wide - 1) & (map_y > 0) & (map_y < tall - 1)
    shrink = _shrinking(map_x, map_y, inside)
    if shrink > 1.3:  # shrinking needs a smaller picture to sample from, or fine patterns turn into moire
        texture = cv2.resize(texture, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(mask, texture.shape[1::-1], interpolation=cv2.INTER_AREA)
        map_x = (places[..., 0] + 1) * mask.shape[1] / 2 - 0.5
        map_y = (places[..., 1] + 1) * mask.shape[0] / 2 - 0.5
    colours = cv2.remap(texture, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.remap(mask, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return colours.astype(np.float32), alpha.astype(np.float32) / 255


def _shrinking(map_x: np.ndarray, map_y: np.ndarray, inside: np.ndarray) -> float:
    """Garment pixels per photo pixel along a line, in the middle of the garment."""
    step = 8
    x, y, where = map_x[::step, ::step], map_y[::step, ::step], inside[::step, ::step]
    if min(x.shape) < 2 or where.sum() < 4:
        return 1.0
    xs, ys = np.gradient(x), np.gradient(y)
    area = np.abs(xs[0] * ys[1] - xs[1] * ys[0]) / step**2
    return float(np.sqrt(max(np.median(area[where]), 1e-6)))
