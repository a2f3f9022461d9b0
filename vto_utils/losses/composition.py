"""What covers what: the composition mask, the visible part of the warped garment, the layout's garment."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from .averages import check_image, check_mask, precise, weighted_mean
from .pixel import l1_loss


def composition_mask_loss(mask: Tensor, visible: Tensor, region: Tensor | None = None) -> Tensor:
    """L1 between the composition mask and where the garment is to be seen: keep the shop photo's pixels.

    ``visible`` is the warped garment mask in CP-VTON (Wang et al., ECCV 2018), the garment in the person's
    parsing in CP-VTON+; :func:`visible_mask` is a third choice. With ones and the warped mask as ``region`` it
    is PF-AFN's. Weight: 1 (all three).

    Args:
        mask: [B, 1, H, W] in [0, 1], TryOnOutput.mask.
        visible: [B, 1, H, W] in [0, 1], the aim.
        region: [B, 1, H, W] weight of each pixel, None for all alike.

    Raises:
        ValueError: wrong shapes.
    """
    check_image(mask, "mask", 1)
    return l1_loss(mask, visible, region)


def visible_mask(warped_mask: Tensor, layout_logits: Tensor, covering: Sequence[int] = (2, 3)) -> Tensor:
    """The warped garment mask less what lies in front of it: m (1 - sum of the covering classes' chances).

    Occlusion handling of HR-VITON (Lee et al., ECCV 2022): body parts of the layout punch holes into the mask.
    Compare the result with the garment's mask in the photo by L1, weight 10 (HR-VITON).

    Args:
        warped_mask: [B, 1, H, W] in [0, 1].
        layout_logits: [B, C, H, W].
        covering: classes in front of the garment; by default the arms of LAYOUT.

    Returns:
        [B, 1, H, W] in [0, 1], float32, with gradients to both.

    Raises:
        ValueError: wrong shapes, or there is no such class.
    """
    chances = _chances(layout_logits, warped_mask, covering)
    return precise(warped_mask) * (1 - chances[:, list(covering)].sum(1, keepdim=True))


def clothing_consistency_loss(layout_logits: Tensor, warped_mask: Tensor, garment: int = 1) -> Tensor:
    """The layout must not show the garment where the warp brings none: mean of P(garment) (1 - warped mask).

    HR-VITON multiplies the two inside its network, so that the layout cannot; as a loss the layout learns it and
    the flow learns to reach what the layout shows. One-sided: the garment may be warped behind an arm.

    Weight: 1, ours; HR-VITON has no number, for it has no such term.

    Args:
        layout_logits: [B, C, H, W].
        warped_mask: [B, 1, H, W] in [0, 1].
        garment: its class.

    Raises:
        ValueError: wrong shapes, or there is no such class.
    """
    chances = _chances(layout_logits, warped_mask, (garment,))
    return weighted_mean(chances[:, garment, None] * (1 - precise(warped_mask)), None)


def _chances(logits: Tensor, mask: Tensor, classes: Sequence[int]) -> Tensor:
    check_image(logits, "layout_logits")
    check_mask(mask, logits, "warped_mask")
    if not all(0 <= number < logits.shape[1] for number in classes):
        raise ValueError(f"The layout has classes 0 to {logits.shape[1] - 1}, not {list(classes)}.")
    return precise(logits).softmax(1)
