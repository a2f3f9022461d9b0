"""Sample grids: a row for each sample, from what is given to what was wanted."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from ..images import from_tensor
from ..networks.inputs import garment_seen
from ..plots import labelled_sheet
from .data import Batch
from .stages import Result

#: RGB of the classes of ``networks.inputs.LAYOUT``.
LAYOUT_COLOURS = (
    (40, 40, 40), (235, 110, 60), (90, 160, 250), (60, 90, 200), (240, 200, 150), (200, 140, 190), (110, 190, 110),
)  # fmt: skip


def sample_grid(results: Sequence[tuple[Batch, Result]], title: str = "") -> Image.Image:
    """Person, garment, warped garment, layout, try-on where there is one, and target, side by side.

    The warped garment is shown whole, on white, and pale where it will not be seen.

    Args:
        results: batches of :mod:`vto_utils.datasets.sample` with what
            :func:`~vto_utils.training.stages.compute` made of them.
        title: above the grid.
    """
    images: list[Image.Image] = []
    labels: list[str] = []
    for batch, result in results:
        mask, seen = result.found.warped[:, 3:].float(), garment_seen(result.found)
        strength = mask * (0.25 + 0.75 * seen)
        columns = {
            "person": batch["person"],
            "garment": batch["cloth"],
            "warped": result.found.warped[:, :3].float() * strength + (1 - strength),
            "layout": _coloured(result.found.layout),
        }
        if result.made is not None:
            columns["try-on"] = result.made.image
        columns["target"] = batch["target"]
        for number in range(len(mask)):
            images += [from_tensor(column[number]) for column in columns.values()]
            labels += columns
    height, width = results[0][0]["person"].shape[-2:]
    scale = max(1, round(192 / height))
    return labelled_sheet(images, labels, len(columns), (height * scale, width * scale), title or None)


def _coloured(logits: Tensor) -> Tensor:
    """[B, 7, H, W] logits of the layout -> [B, 3, H, W] in [-1, 1]."""
    colours = torch.tensor(LAYOUT_COLOURS, device=logits.device) / 127.5 - 1
    return colours[logits.argmax(1)].movedim(-1, 1)
