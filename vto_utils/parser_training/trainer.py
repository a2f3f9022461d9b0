"""A training run of the human parser in a folder (:mod:`vto_utils.resumable`).

Killed at any moment and started again it goes on from its last checkpoint and sees the same pictures as an
unbroken run: a picture follows from the seed and its place in the row alone.

    log.jsonl            one line a step
    checkpoints/         the last three: weights, their running mean, optimiser, step
    parser.safetensors   the running mean of the weights, float16: what is shipped
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from .. import assets
from ..errors import InputError
from ..networks.parser import ParserConfig, ParserNet
from ..parsing.network import load_parser, save_parser
from ..resumable import ResumableRun
from ..runtime import pick_device
from ..training.schedule import rate_factor
from .losses import parser_loss


@dataclass(frozen=True)
class ParserTrainConfig:
    """How to train. The defaults suit two processor cores."""

    size: tuple[int, int] = (256, 192)  # (height, width) of the pictures, multiples of 32
    batch: int = 8
    steps: int = 6000  # the learning rate reaches zero at the last
    learning_rate: float = 1e-3  # of the new layers, at its highest
    encoder_rate: float = 0.3  # of the encoder, as a share of that
    warm_up: float = 0.05  # share of the steps
    weight_decay: float = 0.02
    dice: float = 0.5  # weight of the soft Dice loss beside cross-entropy's 1
    average: float = 0.995  # decay of the running mean of the weights
    clip: float = 5.0  # greatest norm of the gradient
    synthetic_share: float = 0.25  # of the pictures, where there is CCP too
    seed: int = 0
    frozen_stages: int = 0  # so many of the encoder's seven, from the photo on, keep the weights they start with
    imagenet: bool = True  # start the encoder from ImageNet's weights
    start: str | None = None  # start everything from this file of an earlier run instead
    network: ParserConfig = dataclasses.field(default_factory=ParserConfig)

    def __post_init__(self):
        object.__setattr__(self, "size", tuple(self.size))  # JSON gives lists and dicts
        if isinstance(self.network, dict):
            object.__setattr__(self, "network", ParserConfig(**self.network))
        if len(self.size) != 2 or min(self.size) < 32 or any(n % 32 for n in self.size):
            raise InputError(f"The size {self.size} cannot be used: height and width must be multiples of 32.")
        for name in ("batch", "steps"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if not 0 < self.learning_rate < math.inf:
            raise InputError(f"learning_rate must be above 0, not {self.learning_rate}.")
        if not 0 <= self.frozen_stages <= 7:
            raise InputError(f"frozen_stages must be between 0 and 7, not {self.frozen_stages}.")
        if not 0 <= self.synthetic_share < 1:
            raise InputError(f"synthetic_share must be at least 0 and below 1, not {self.synthetic_share}.")


class ParserTrainer(ResumableRun):
    """A training run in a folder.

    Args:
        stream: gives the pictures; its length is taken to be the run's.
        config: how.
        folder: of the run.
        device: "auto", "cpu", "cuda" or "mps".
    """

    def __init__(self, stream: Any, config: ParserTrainConfig, folder: str | os.PathLike, device: str = "auto") -> None:
        self.stream, self.config, self.folder = stream, config, Path(folder)
        self.device = pick_device(device).value
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(config.seed)
            self.net = ParserNet(config.network)
        if config.start is not None:
            if not self.checkpoints():  # a run that is gone on with needs the file no more
                self._start_from(config.start)
        elif config.imagenet:
            self.net.encoder.load_imagenet(assets.fetch("efficientnet-lite0"))
        self.net.to(self.device, memory_format=torch.channels_last).train()
        self._freeze(config.frozen_stages)
        self.average = AveragedModel(self.net, multi_avg_fn=get_ema_multi_avg_fn(config.average))
        encoder = [p for p in self.net.encoder.parameters() if p.requires_grad]
        own = {id(p) for p in self.net.encoder.parameters()}
        rest = [p for p in self.net.parameters() if id(p) not in own]
        groups = []
        for parameters, factor in ((encoder, config.encoder_rate), (rest, 1.0)):
            for plain in (False, True):  # norms and biases are not decayed
                chosen = [p for p in parameters if (p.ndim < 2) == plain]
                decay = 0.0 if plain else config.weight_decay
                groups.append({"params": chosen, "factor": factor, "weight_decay": decay})
        self.optimizer = torch.optim.AdamW(groups, lr=config.learning_rate)
        self.step = 0

    def _freeze(self, stages: int) -> None:
        # The layers next to the photo cost most, being the largest, and change least.
        if stages:
            for module in (self.net.encoder.stem, *self.net.encoder.stages[:stages]):
                module.requires_grad_(False)

    def _start_from(self, path: str) -> None:
        earlier, _ = load_parser(path)
        if earlier.config != self.config.network:
            raise InputError(f"{path} holds a parser of another shape: give its shape in the settings.")
        self.net.load_state_dict(earlier.state_dict())

    def learn(self, batch: Sequence[Tensor]) -> float:
        """One step on a batch of inputs and classes; the loss before it."""
        x, classes = batch
        config = self.config
        rate = config.learning_rate * rate_factor(self.step, config.steps, config.warm_up, 0.0)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        x = x.to(self.device, memory_format=torch.channels_last)[:, : 3 + config.network.extra_channels]
        loss = parser_loss(self.net(x), classes.to(self.device).long(), config.dice)
        value = loss.item()
        if not math.isfinite(value):
            raise InputError(f"The loss is {value} at step {self.step + 1}: lower the learning rate.")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), config.clip)
        self.optimizer.step()
        self.average.update_parameters(self.net)
        self.step += 1
        return value

    def ship(self) -> None:
        """Write the running mean of the weights as ``parser.safetensors``."""
        save_parser(self.folder / "parser.safetensors", self.average.module, self.config.size)
