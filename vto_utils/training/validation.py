"""Measuring networks on samples that do not change."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from ..losses import flow_loss
from ..networks.inputs import garment_seen, layout_target, repaintable
from .data import Batch
from .stages import Result


def validate(
    batches: Iterable[Batch],
    compute: Callable[[Batch], Result],
    ssim: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> dict[str, float]:
    """Figures of networks on samples.

    Args:
        batches: on the networks' device.
        compute: the forward pass and its losses, with networks in evaluation mode.
        ssim: takes two [B, 3, H, W] in [0, 1] and gives [B].

    Returns:
        Means over the samples: ``loss`` and its terms; ``garment_iou`` of what is seen of the garment; ``epe``, the
        end-point error in pixels of a 256x192 garment picture, over samples whose flow is known; ``layout_accuracy``
        where anything is to be decided; ``l1_inside`` in [0, 2] where the person is repainted, and ``ssim``.
    """
    sums: dict[str, float] = {}
    counts: dict[str, int] = {}

    def add(name: str, value: Tensor, count: int) -> None:
        if count:
            sums[name] = sums.get(name, 0.0) + float(value) * count
            counts[name] = counts.get(name, 0) + count

    with torch.no_grad():
        for batch in batches:
            size = len(batch["person"])
            result = compute(batch)
            add("loss", result.loss, size)
            for name, term in result.terms.items():
                add(name, term, size)
            for name, values in _figures(batch, result, ssim).items():
                add(name, values.mean() if len(values) else torch.zeros(()), len(values))
    return {name: sums[name] / counts[name] for name in sums}


def _figures(batch: Batch, result: Result, ssim: Callable[[Tensor, Tensor], Tensor] | None) -> dict[str, Tensor]:
    """Figures of each sample they can be told of."""
    where = repaintable(batch["agnostic_mask"], batch["parse"], batch["category"])
    near = where > 0
    worn, seen = (batch["target_garment"] > 0.5) & near, garment_seen(result.found) > 0.5
    both, either = (x.flatten(1).sum(1).float() for x in (worn & seen, worn | seen))
    truth = layout_target(batch["target_parse"], batch["category"], where)
    right = (result.found.layout.argmax(1) == truth)[:, None] & near
    figures = {
        "garment_iou": both / either.clamp(min=1),
        "layout_accuracy": right.flatten(1).sum(1) / near.flatten(1).sum(1).clamp(min=1),
    }
    known = [n for n in range(len(near)) if batch["has_flow"][n] and batch["flow_valid"][n].any()]
    errors = [
        flow_loss(result.found.flow[n, None], batch["flow"][n, None], batch["flow_valid"][n, None], epsilon=1e-4)
        for n in known
    ]
    figures["epe"] = torch.stack(errors) if errors else torch.zeros(0)
    if result.made is not None:
        image, target, mask = result.made.image.float(), batch["target"], batch["agnostic_mask"]
        apart = ((image - target).abs() * mask).flatten(1).sum(1)
        figures["l1_inside"] = apart / (3 * mask.flatten(1).sum(1)).clamp(min=1)
        if ssim is not None:
            figures["ssim"] = ssim((image.clamp(-1, 1) + 1) / 2, (target + 1) / 2)
    return figures


def installed_ssim() -> Callable[[Tensor, Tensor], Tensor] | None:
    """Structural similarity of torchmetrics, one figure a sample; None where it is not installed."""
    try:
        from torchmetrics.functional.image import structural_similarity_index_measure as measure
    except ImportError:
        return None
    return lambda image, target: measure(image, target, data_range=1.0, reduction="none").reshape(-1)
