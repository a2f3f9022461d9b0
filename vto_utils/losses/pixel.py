"""Losses between pictures, pixel by pixel, and the smoothness of one picture."""

from __future__ import annotations

from torch import Tensor

from .averages import charbonnier, check_image, check_mask, check_pair, difference, precise, weighted_mean


def l1_loss(image: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean absolute difference, mean(m |x - y|) / mean(m).

    Weight: 1 for warped garment and try-on (CP-VTON; PF-AFN's warp, whose generator has 5); between masks 2
    (PF-AFN's garment edge) or 10 (HR-VITON's warped mask). PF-AFN weighs a skin region 30: give it as ``mask``.

    Args:
        image, target: [B, C, H, W] in one range.
        mask: [B, 1, H, W] >= 0, weight of each pixel; the mean is over the weight, so a small mask counts as
            much as a large one. None for all pixels alike.

    Raises:
        ValueError: shapes differ.
    """
    check_pair(image, target, "image")
    check_mask(mask, image)
    return weighted_mean(difference(image, target, mask).abs(), mask)


def charbonnier_loss(image: Tensor, target: Tensor, mask: Tensor | None = None, epsilon: float = 1e-3) -> Tensor:
    """Mean of sqrt(d^2 + epsilon^2) - epsilon: L1 with a round bottom, 0 for equal pictures.

    Charbonnier et al., "Two deterministic half-quadratic regularization algorithms for computed imaging",
    ICIP 1994; epsilon as LapSRN (Lai et al., CVPR 2017). Weight: as :func:`l1_loss`, whose place it takes.

    Args and errors as :func:`l1_loss`; ``epsilon`` > 0, in units of the images.
    """
    check_pair(image, target, "image")
    check_mask(mask, image)
    d = difference(image, target, mask)
    return weighted_mean(charbonnier(d.square(), epsilon), mask)


def total_variation(image: Tensor, mask: Tensor | None = None) -> Tensor:
    """mean |x(i, j + 1) - x(i, j)| + mean |x(i + 1, j) - x(i, j)|: the anisotropic total variation.

    Rudin, Osher and Fatemi, Physica D 60, 1992. Weight: 2 on a flow (HR-VITON), 0.01 on residual flows (PF-AFN);
    see :func:`~vto_utils.losses.flow_total_variation` for these. For shading and masks none is published.

    Args:
        image: [B, C, H, W], H and W at least 2.
        mask: [B, 1, H, W] >= 0; a pair of neighbours weighs the product of their weights.

    Raises:
        ValueError: wrong shapes.
    """
    check_image(image, "image")
    check_mask(mask, image)
    if min(image.shape[-2:]) < 2:
        raise ValueError(f"Total variation needs at least 2x2 pixels, got {list(image.shape)}.")
    total = 0
    for axis in (-1, -2):
        length = image.shape[axis] - 1
        both = None if mask is None else precise(mask.narrow(axis, 0, length)) * mask.narrow(axis, 1, length)
        d = difference(image.narrow(axis, 1, length), image.narrow(axis, 0, length), both)
        total = total + weighted_mean(d.abs(), both)
    return total
