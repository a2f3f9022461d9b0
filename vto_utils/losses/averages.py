"""What all losses share: precision, shape checks and averages under a mask."""

from __future__ import annotations

import torch
from torch import Tensor


def precise(x: Tensor) -> Tensor:
    """The tensor in float32; float64 stays. Half formats lose the small differences a loss is made of."""
    return x if x.dtype == torch.float64 else x.float()


def check_image(x: Tensor, name: str, channels: int | None = None) -> None:
    """Raise ValueError unless ``x`` is [B, channels, H, W]."""
    if x.ndim != 4 or (channels is not None and x.shape[1] != channels):
        raise ValueError(f"{name} must be [B, {channels or 'C'}, H, W], got {list(x.shape)}.")


def check_pair(x: Tensor, target: Tensor, name: str) -> None:
    """Raise ValueError unless both are [B, C, H, W] of one shape: broadcasting would hide a mistake."""
    check_image(x, name)
    if x.shape != target.shape:
        raise ValueError(f"{name} {list(x.shape)} and its target {list(target.shape)} must have one shape.")


def check_mask(mask: Tensor | None, like: Tensor, name: str = "mask") -> None:
    """Raise ValueError unless ``mask`` is None or [B, 1, H, W] of the batch and size of ``like``."""
    wanted = [like.shape[0], 1, *like.shape[-2:]]
    if mask is not None and list(mask.shape) != wanted:
        raise ValueError(f"{name} must be {wanted}, got {list(mask.shape)}.")


def difference(x: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
    """``x - target``, precise; exactly 0, and without gradient, where the mask is 0."""
    result = precise(x) - precise(target)
    return result if mask is None else result.where(mask > 0, 0)


def weighted_mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """Mean of [B, C, H, W] over everything, weighted by [B, 1, H, W] or not; 0 if all weights are 0."""
    if weight is None:
        return values.mean()
    weight = weight.to(values.dtype)
    total = weight.sum() * values.shape[1]
    return (values * weight).sum() / total.clamp_min(torch.finfo(values.dtype).tiny)


def charbonnier(squared: Tensor, epsilon: float, power: float = 0.5) -> Tensor:
    """(d^2 + epsilon^2)^power - epsilon^(2 power) of ``squared`` d^2, elementwise: exactly 0 at 0."""
    return ((squared / epsilon**2 + 1) ** power - 1) * epsilon ** (2 * power)
