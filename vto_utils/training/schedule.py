"""What changes from step to step by a formula: the learning rate and the memory of the running mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def rate_factor(step: int, steps: int, warm_up: float, final: float) -> float:
    """Learning rate of a step (0 the first) as a share of the highest: up in a line, down along a cosine.

    A formula and not a scheduler object: a run that goes on needs no state for it.

    Args:
        warm_up: share of the steps in which it rises.
        final: share that is left at the last step.
    """
    rise = round(warm_up * steps)
    if step < rise:
        return (step + 1) / (rise + 1)
    done = (step - rise) / max(1, steps - 1 - rise)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def running_mean(net: nn.Module, decay: float) -> AveragedModel:
    """A copy of a network that follows the running mean of its weights.

    In its first steps the memory is short, (1 + n) / (10 + n), or the mean would be one of random weights.
    """
    return AveragedModel(net, multi_avg_fn=_mean_update(decay)).requires_grad_(False).eval()


def _mean_update(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    @torch.no_grad()
    def update(means: Sequence[Tensor], weights: Sequence[Tensor], count: Tensor | int) -> None:
        count = float(count)
        torch._foreach_lerp_(list(means), list(weights), 1 - min(decay, (1 + count) / (10 + count)))

    return update
