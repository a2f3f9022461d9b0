"""Fitting both networks to one pair of photos: the smallest complete training loop.

Person and garment go through the GMM and the TryOnSynthesizer, an L1 loss compares the result with a target,
Adam follows the gradient and a step schedule lowers its rate. Nothing here draws, prints or saves: callbacks
are told after every step and do what they like.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError
from ..images import load_image, preprocess
from ..networks import GMM, TryOnSynthesizer
from ..runtime import pick_device


@dataclass(frozen=True)
class FitConfig:
    """How to fit. The defaults are small enough for a CPU."""

    # optimiser steps; one pair of photos, so a step is an epoch
    steps: int = field(default=10, metadata={"min": 1, "max": 500, "help": "optimiser steps"})
    # Adam's, at the start
    learning_rate: float = field(default=1e-3, metadata={"min": 1e-5, "max": 1e-1, "help": "of Adam, at the start"})
    step_size: int = field(default=5, metadata={"min": 1, "max": 500, "help": "steps until gamma lowers the rate"})
    gamma: float = field(default=0.5, metadata={"min": 0.05, "max": 1.0, "help": "factor of the learning rate"})
    size: tuple[int, int] = (256, 192)  # (height, width) in pixels the networks see
    seed: int = 0  # of the networks' first weights
    device: str = field(default="auto", metadata={"choices": ("auto", "cpu", "cuda", "mps")})

    def __post_init__(self):
        object.__setattr__(self, "size", tuple(self.size))  # JSON gives a list
        for name in ("steps", "step_size"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if not 0 < self.learning_rate <= 1:
            raise InputError(f"learning_rate must be above 0 and at most 1, not {self.learning_rate}.")
        if not 0 < self.gamma <= 1:
            raise InputError(f"gamma must be above 0 and at most 1, not {self.gamma}.")
        if len(self.size) != 2 or min(self.size) < 16:
            raise InputError(f"size must be (height, width), 16 pixels or more each, not {self.size}.")


@dataclass(frozen=True)
class FitState:
    """What a callback is told after each step. Pictures are [1, 3, H, W] in [0, 1], without gradient."""

    step: int  # steps done, 1 after the first
    steps: int  # steps there will be
    loss: float  # of this step, before its update
    learning_rate: float  # of this step
    gmm: GMM
    tom: TryOnSynthesizer
    warped: Tensor  # the GMM's result of this step
    output: Tensor  # the TryOnSynthesizer's result of this step


@dataclass(frozen=True)
class FitResult:
    """The fitted networks, in evaluation mode on the device they were fitted on, and how it went."""

    gmm: GMM
    tom: TryOnSynthesizer
    losses: list[float]  # one for each step done
    interrupted: bool = False  # stopped by the user before all steps were done


def fit_pair(
    person: Any,
    cloth: Any,
    config: FitConfig | None = None,
    callbacks: Iterable[Callable[[FitState], None]] = (),
    target: Any = None,
) -> FitResult:
    """Fit new networks to one person and one garment.

    Args:
        person: photo of the person, whatever ``load_image`` takes: a path, a ``PIL.Image``, a uint8 array.
        cloth: photo of the garment, on a plain background (see ``remove_background_rgb``).
        config: how; the same configuration and photos give the same result on the same machine.
        callbacks: called in order with a :class:`FitState` after every step.
        target: photo of the person wearing the garment. Without one the person photo itself is the target:
            that shows the loop at work, but teaches the networks to change nothing.

    Returns:
        The networks and the losses. Interrupting (KeyboardInterrupt, also from a callback) ends the fit
        early and keeps what was learned.

    Raises:
        InputError: a photo cannot be used, the device is not there, or the loss stopped being a number.
    """
    config = config or FitConfig()
    device = pick_device(config.device).value
    person, cloth = (_photo(image, config, device) for image in (person, cloth))  # (1, 3, H, W) each
    target = person if target is None else _photo(target, config, device)  # (1, 3, H, W)

    # Only these first weights are random; the caller's own random numbers stay as they are.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        gmm, tom = GMM().to(device), TryOnSynthesizer().to(device)
    optimizer = torch.optim.Adam([*gmm.parameters(), *tom.parameters()], lr=config.learning_rate)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, config.step_size, config.gamma)

    callbacks, losses, interrupted = list(callbacks), [], False
    try:
        for step in range(1, config.steps + 1):
            warped = gmm(person, cloth)  # (1, 3, H, W)
            output = tom(person, warped)  # (1, 3, H, W)
            loss = F.l1_loss(output, target)
            value = loss.item()
            if not math.isfinite(value):
                raise InputError(f"The loss is {value} at step {step}: lower the learning rate.")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rate = scheduler.get_last_lr()[0]
            scheduler.step()
            losses.append(value)
            state = FitState(step, config.steps, value, rate, gmm, tom, warped.detach(), output.detach())
            for callback in callbacks:
                callback(state)
    except KeyboardInterrupt:
        interrupted = True
    return FitResult(gmm.eval(), tom.eval(), losses, interrupted)


def _photo(source: Any, config: FitConfig, device: str) -> Tensor:
    return preprocess(load_image(source), config.size).to(device)
