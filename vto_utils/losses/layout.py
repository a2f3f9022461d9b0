"""Losses of masks and of the target layout: cross-entropy and soft overlap.

Cross-entropy judges every pixel alone, overlap a region as a whole, so small regions are not drowned by large
ones. Their sum, 1 : 1, is nnU-Net's (Isensee et al., Nature Methods 18, 2021).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .averages import check_image, check_mask, check_pair, precise, weighted_mean

OVERLAPS = ("dice", "iou")


def soft_overlap_loss(chances: Tensor, truth: Tensor, valid: Tensor | None = None, form: str = "dice") -> Tensor:
    """1 - the mean, over the channels with any truth in the batch, of a soft overlap.

    With P the chances, T the truth and sums over the batch and its pixels:

        dice  2 sum(P T) / (sum(P) + sum(T))         Milletari et al., "V-Net", 3DV 2016
        iou   sum(P T) / (sum(P) + sum(T) - sum(P T))  Rahman and Wang, ISVC 2016

    A channel without truth counts nowhere (cross-entropy pushes it down); with none at all the loss is 0.

    Args:
        chances: [B, C, H, W] in [0, 1].
        truth: [B, C, H, W] in [0, 1].
        valid: [B, 1, H, W], 0 where the truth is unknown.

    Raises:
        ValueError: shapes differ, or the form is unknown.
    """
    check_pair(chances, truth, "chances")
    check_mask(valid, chances, "valid")
    if form not in OVERLAPS:
        raise ValueError(f"Unknown overlap {form!r}: choose one of {', '.join(OVERLAPS)}.")
    chances, truth = precise(chances), precise(truth)
    if valid is not None:
        chances, truth = (x.where(valid > 0, 0) * valid for x in (chances, truth))
    both = (chances * truth).sum((0, 2, 3))  # (C,)
    sizes = (chances + truth).sum((0, 2, 3))
    # The floor matters only where both are empty.
    sizes = sizes.clamp_min(torch.finfo(sizes.dtype).tiny)
    overlap = 2 * both / sizes if form == "dice" else both / (sizes - both)
    present = (truth.sum((0, 2, 3)) > 0).to(overlap.dtype)
    return ((1 - overlap) * present).sum() / present.sum().clamp_min(1)


def mask_loss(
    logits: Tensor, target: Tensor, valid: Tensor | None = None, overlap: float = 1.0, form: str = "dice"
) -> Tensor:
    """Binary cross-entropy of logits plus ``overlap`` times :func:`soft_overlap_loss`.

    Weight: 1 beside an L1 of the image. Masks that are warped, not predicted, have no logits: HR-VITON takes
    10 times :func:`~vto_utils.losses.l1_loss` for them, PF-AFN 2 times.

    Args:
        logits: [B, C, H, W], one mask a channel.
        target: [B, C, H, W] in [0, 1]; soft edges are fine.
        valid: [B, 1, H, W] weight of each pixel, 0 where the truth is unknown.
        overlap: share of the overlap term, 0 for cross-entropy alone.
        form: "dice" or "iou".

    Raises:
        ValueError: shapes differ, or the form is unknown.
    """
    check_pair(logits, target, "logits")
    check_mask(valid, logits, "valid")
    logits, target = precise(logits), precise(target)
    if valid is not None:
        logits, target = (x.where(valid > 0, 0) for x in (logits, target))
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    loss = weighted_mean(entropy, valid)
    return loss + overlap * soft_overlap_loss(logits.sigmoid(), target, valid, form) if overlap else loss


def layout_loss(
    logits: Tensor,
    target: Tensor,
    class_weights: Tensor | None = None,
    ignore_index: int = 255,
    overlap: float = 1.0,
    form: str = "dice",
) -> Tensor:
    """Cross-entropy of classes plus ``overlap`` times :func:`soft_overlap_loss` of their softmax.

    The mean of the cross-entropy is over the weights of the known pixels; without any it is 0.

    Weight: 10 for the layout (HR-VITON, cross-entropy alone), 0.5 to 1 for ``overlap`` (nnU-Net 1).

    Args:
        logits: [B, C, H, W].
        target: [B, H, W] integer classes; ``ignore_index`` is unknown and counts nowhere.
        class_weights: [C] of the cross-entropy, None for all alike. The overlap is balanced by itself.
        overlap: share of the overlap term, 0 for cross-entropy alone.
        form: "dice" or "iou".

    Raises:
        ValueError: shapes do not fit, the classes are not integers, or the form is unknown.
    """
    check_image(logits, "logits")
    wanted = [logits.shape[0], *logits.shape[-2:]]
    if list(target.shape) != wanted or target.is_floating_point():
        raise ValueError(f"target must hold integers, {wanted}, got {target.dtype} {list(target.shape)}.")
    classes = logits.shape[1]
    if class_weights is not None and list(class_weights.shape) != [classes]:
        raise ValueError(f"class_weights must be [{classes}], got {list(class_weights.shape)}.")
    logits, target = precise(logits), target.long()
    known = target != ignore_index  # (B, H, W)
    safe = target.where(known, 0)
    # Where nothing is known there is nothing to be learnt, not even that NaN is bad.
    logits = logits.where(known[:, None], 0)
    weight = known.to(logits.dtype)
    if class_weights is not None:
        weight = weight * class_weights.to(logits)[safe]
    entropy = F.cross_entropy(logits, safe, reduction="none")  # (B, H, W)
    loss = weighted_mean(entropy[:, None], weight[:, None])
    if overlap:
        truth = F.one_hot(safe, classes).movedim(-1, 1)  # (B, C, H, W)
        loss = loss + overlap * soft_overlap_loss(logits.softmax(1), truth, known[:, None], form)
    return loss
