"""Figures of one try-on picture against the true one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..losses import PerceptualLoss, flow_loss, perceptual
from ..networks.inputs import repaintable
from ..runtime import pick_device
from ..training.data import Batch
from ..training.validation import installed_ssim

FIGURES = {
    "garment_iou": "garment IoU",
    "epe": "EPE px",
    "ssim": "SSIM",
    "ssim_box": "SSIM in box",
    "perceptual": "perceptual",
    "l1_inside": "L1 inside",
    "seconds": "s/sample",
}
"""Names of the figures and how tables call them."""

_KERNEL = 11  # pixels; SSIM's Gaussian window, below which there is no figure


class Answer(NamedTuple):
    """What one variant of the try-on makes of one sample, H x W the sample's size."""

    image: Tensor
    """[1, 3, H, W] RGB in [-1, 1]."""
    garment: Tensor
    """[1, 1, H, W] in [0, 1], how much of the new garment is seen."""
    flow: Tensor | None
    """[1, 2, H, W] normalised position in the garment picture, for ``grid_sample(align_corners=False)``."""
    seconds: float
    """From the prepared sample to the picture."""
    refusal: str = ""
    """Why the variant would not dress this person; then the image is the photo as it was."""


@dataclass(frozen=True)
class Meter:
    """Measures pictures.

    Attributes:
        ssim: takes two [B, 3, H, W] in [0, 1] and gives [B]; None where torchmetrics is not installed.
        perceptual: None to leave the perceptual distance out.
        device: where to measure.
        notes: sentences for the reader of the figures.
    """

    ssim: Callable[[Tensor, Tensor], Tensor] | None
    perceptual: PerceptualLoss | None
    device: str = "cpu"
    notes: tuple[str, ...] = ()

    @classmethod
    def make(cls, backbone: str = "efficientnet-lite0", device: str = "auto") -> Meter:
        """With what is installed here.

        Args:
            backbone: one of ``losses.features.BACKBONES``, or ``none``.
            device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

        Raises:
            InputError: unknown backbone or device.
            AssetError: the backbone's weights cannot be had.
        """
        notes, place = [], pick_device(device).value
        ssim = installed_ssim()
        if ssim is None:
            notes.append("SSIM is not measured: torchmetrics is not installed (`pip install torchmetrics`).")
        distance = None
        if backbone != "none":
            choice = perceptual(backbone)
            distance = choice.value.to(place)
            notes.append(f"Perceptual distance: {choice.reason}.")
        return cls(ssim, distance, place, tuple(notes))

    def settings(self) -> dict[str, Any]:
        """What the figures depend on."""
        return {
            "ssim": None if self.ssim is None else "torchmetrics, Gaussian window of sigma 1.5, colours in [0, 1]",
            "perceptual": None if self.perceptual is None else self.perceptual.backbone,
        }

    def likeness(self, image: Tensor, target: Tensor) -> dict[str, float | None]:
        """SSIM and perceptual distance of two [1, 3, H, W] in [-1, 1]."""
        image, target = image.float().clamp(-1, 1), target.float()
        return {"ssim": self._ssim(image, target), "perceptual": self._distance(image, target)}

    def measure(self, batch: Batch, answer: Answer) -> dict[str, float | None]:
        """The :data:`FIGURES` of one sample; None where a figure cannot be told.

        What lies where nothing is to be decided (``networks.inputs.repaintable``) is the photo's own in every variant;
        it counts in the SSIM and the perceptual distance of the whole picture, and nowhere else.

        Args:
            batch: one item of :mod:`vto_utils.datasets.sample` on the meter's device.
            answer: its tensors on that device.
        """
        with torch.no_grad():
            where = repaintable(batch["agnostic_mask"], batch["parse"], batch["category"]) > 0
            image, target = answer.image.float().clamp(-1, 1), batch["target"]
            found: dict[str, float | None] = {
                "garment_iou": _overlap(answer.garment > 0.5, batch["target_garment"] > 0.5, where),
                "epe": None,
                "ssim_box": None,
                **self.likeness(image, target),
                "l1_inside": None,
                "seconds": answer.seconds,
            }
            if answer.flow is not None and batch["has_flow"].all() and batch["flow_valid"].any():
                found["epe"] = float(flow_loss(answer.flow, batch["flow"], batch["flow_valid"], epsilon=1e-4))
            if where.any():
                inside = where.expand_as(image)
                found["l1_inside"] = float((image - target)[inside].abs().mean()) / 2
                rows, columns = where[0, 0].any(1).nonzero()[:, 0], where[0, 0].any(0).nonzero()[:, 0]
                box = (..., slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
                found["ssim_box"] = self._ssim(image[box], target[box])
        return {name: found[name] for name in FIGURES}

    def _ssim(self, image: Tensor, target: Tensor) -> float | None:
        if self.ssim is None or min(image.shape[-2:]) < _KERNEL:
            return None
        return float(self.ssim((image + 1) / 2, (target + 1) / 2))

    def _distance(self, image: Tensor, target: Tensor) -> float | None:
        if self.perceptual is None:
            return None
        with torch.no_grad():
            return float(self.perceptual(image, target))


def _overlap(seen: Tensor, worn: Tensor, where: Tensor) -> float | None:
    """Intersection over union within ``where``; None where there is neither."""
    both, either = (seen & worn & where).sum(), ((seen | worn) & where).sum()
    return float(both / either) if either else None
