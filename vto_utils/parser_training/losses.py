"""What the parser is trained to make small."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..networks.parser import enlarge
from .examples import UNKNOWN


def soft_dice_loss(logits: Tensor, classes: Tensor, unknown: int = UNKNOWN) -> Tensor:
    """1 - the mean over the classes present in the batch of 2 |P T| / (|P| + |T|) (Milletari et al., 3DV 2016).

    Args:
        logits: [B, C, H, W].
        classes: [B, H, W] int64; ``unknown`` counts nowhere.
    """
    return _soft_dice_loss(logits.log_softmax(1), classes, unknown)


def parser_loss(logits: Tensor, classes: Tensor, dice: float) -> Tensor:
    """Cross-entropy over known pixels plus ``dice`` times the soft Dice loss; logits are enlarged first."""
    logs = enlarge(logits.float(), tuple(classes.shape[-2:])).log_softmax(1)
    known = (classes != UNKNOWN).sum().clamp(min=1)
    entropy = F.nll_loss(logs, classes, ignore_index=UNKNOWN, reduction="sum") / known
    return entropy + dice * _soft_dice_loss(logs, classes, UNKNOWN)


def _soft_dice_loss(logs: Tensor, classes: Tensor, unknown: int) -> Tensor:
    # Only the true class's chance enters |P T|: gathering it is far cheaper than a product with one-hot planes.
    known = classes != unknown
    chances = logs.exp()
    truth = classes.where(known, 0)
    right = (chances.gather(1, truth[:, None])[:, 0] * known).flatten()
    count = logs.shape[1]
    both = right.new_zeros(count).index_add(0, truth.flatten(), right)
    true_sizes = right.new_zeros(count).index_add(0, truth.flatten(), known.flatten().to(right.dtype))
    sizes = torch.einsum("bchw,bhw->c", chances, known.to(chances.dtype)) + true_sizes
    present = true_sizes > 0
    return 1 - (2 * both / sizes.clamp(min=1))[present].mean() if present.any() else chances.sum() * 0
