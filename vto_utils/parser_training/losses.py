"""What the parser is trained to make small."""

from __future__ import annotations

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
    known = classes != unknown
    chances = logits.softmax(1) * known[:, None]
    truth = F.one_hot(classes.where(known, 0), logits.shape[1]).movedim(-1, 1) * known[:, None]
    both = (chances * truth).sum((0, 2, 3))
    sizes = (chances + truth).sum((0, 2, 3))
    present = truth.sum((0, 2, 3)) > 0
    return 1 - (2 * both / sizes.clamp(min=1))[present].mean() if present.any() else chances.sum() * 0


def parser_loss(logits: Tensor, classes: Tensor, dice: float) -> Tensor:
    """Cross-entropy over known pixels plus ``dice`` times the soft Dice loss; logits are enlarged first."""
    logits = enlarge(logits.float(), tuple(classes.shape[-2:]))
    known = (classes != UNKNOWN).sum().clamp(min=1)
    entropy = F.cross_entropy(logits, classes, ignore_index=UNKNOWN, reduction="sum") / known
    return entropy + dice * soft_dice_loss(logits, classes)
