"""A training run of the garment reader in a folder.

Killed at any moment and started again it goes on from its last checkpoint and sees the same pictures as an
unbroken run.

    log.jsonl             one line a step
    checkpoints/          the last three: weights, their running mean, optimiser, step
    garment.safetensors   the running mean of the weights, float16: what is shipped
"""

from __future__ import annotations

import dataclasses
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import assets
from ..errors import InputError
from ..networks.garment import GarmentAnswer, GarmentConfig, GarmentNet, category_logits, save_garment_net
from ..networks.layers import resize
from ..resumable import ResumableRun
from ..runtime import pick_device
from ..training.schedule import rate_factor, running_mean


@dataclass(frozen=True)
class GarmentTrainConfig:
    """How to train. The defaults suit two processor cores."""

    size: tuple[int, int] = (224, 224)  # (height, width) of the pictures, multiples of 32
    batch: int = 12
    steps: int = 2000  # the learning rate reaches zero at the last
    learning_rate: float = 1e-3  # of the new layers, at its highest
    encoder_rate: float = 0.3  # of the encoder, as a share of that
    warm_up: float = 0.05  # share of the steps
    weight_decay: float = 0.02
    smoothing: float = 0.05  # of the labels, which are noisy
    average: float = 0.99  # decay of the running mean of the weights
    clip: float = 5.0  # greatest norm of the gradient
    seed: int = 0
    frozen: int = 2  # first stages of the encoder that stay as ImageNet made them; with the stem: half of the time
    imagenet: bool = True  # start the encoder from ImageNet's weights
    network: GarmentConfig = dataclasses.field(default_factory=GarmentConfig)

    def __post_init__(self):
        object.__setattr__(self, "size", tuple(self.size))  # JSON gives lists and dicts
        if isinstance(self.network, dict):
            object.__setattr__(self, "network", GarmentConfig(**self.network))
        if len(self.size) != 2 or min(self.size) < 32 or any(n % 32 for n in self.size):
            raise InputError(f"The size {self.size} cannot be used: height and width must be multiples of 32.")
        for name in ("batch", "steps"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if not 0 < self.learning_rate < math.inf:
            raise InputError(f"learning_rate must be above 0, not {self.learning_rate}.")


def garment_loss(answer: GarmentAnswer, truth: dict[str, Tensor], smoothing: float = 0.0) -> Tensor:
    """Mask (cross-entropy and soft Dice, Milletari et al. 2016), label, category and kind; what is unknown is left out.

    Args:
        answer: of a batch.
        truth: ``mask`` [B, 1, H, W], 0, 1 or -1; ``label``, ``category`` and ``kind`` [B], -1: not known.
        smoothing: of the labels (Szegedy et al., CVPR 2016).
    """
    mask = truth["mask"]
    logits = resize(answer.mask, mask.shape[-2:])
    known = (mask >= 0).float()
    inside = mask.clamp_min(0)
    entropy = F.binary_cross_entropy_with_logits(logits, inside, reduction="none")
    loss = (entropy * known).sum() / known.sum().clamp_min(1)
    chance = logits.sigmoid() * known
    both, sizes = (chance * inside).sum((1, 2, 3)), (chance + inside).sum((1, 2, 3))
    there = (inside.sum((1, 2, 3)) > 0).float()
    loss = loss + 0.5 * ((1 - 2 * both / sizes.clamp_min(1)) * there).sum() / there.sum().clamp_min(1)
    for logits, name, weight in (
        (answer.label, "label", 0.5), (category_logits(answer.label), "category", 1.0), (answer.kind, "kind", 1.0)
    ):  # fmt: skip
        known = truth[name] >= 0
        if known.any():
            loss = loss + weight * F.cross_entropy(logits[known], truth[name][known], label_smoothing=smoothing)
    return loss


class GarmentTrainer(ResumableRun):
    """A training run in a folder.

    Args:
        stream: gives the pictures by number.
        config: how.
        folder: of the run.
        device: "auto", "cpu", "cuda" or "mps".
    """

    def __init__(
        self, stream: Any, config: GarmentTrainConfig, folder: str | os.PathLike, device: str = "auto"
    ) -> None:
        self.stream, self.config, self.folder = stream, config, Path(folder)
        self.device = pick_device(device).value
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(config.seed)
            self.net = GarmentNet(config.network)
        if config.imagenet:
            self.net.encoder.load_imagenet(assets.fetch("efficientnet-lite0"))
        for part in (self.net.encoder.stem, *self.net.encoder.stages)[: config.frozen + 1 if config.frozen else 0]:
            part.requires_grad_(False)
        self.net.to(self.device, memory_format=torch.channels_last).train()
        self.average = running_mean(self.net, config.average)
        encoder = [p for p in self.net.encoder.parameters() if p.requires_grad]
        own = {id(p) for p in encoder}
        rest = [p for p in self.net.parameters() if p.requires_grad and id(p) not in own]
        groups = []
        for parameters, factor in ((encoder, config.encoder_rate), (rest, 1.0)):
            for plain in (False, True):  # norms and biases are not decayed
                chosen = [p for p in parameters if (p.ndim < 2) == plain]
                groups.append(
                    {"params": chosen, "factor": factor, "weight_decay": 0.0 if plain else config.weight_decay}
                )
        self.optimizer = torch.optim.AdamW(groups, lr=config.learning_rate)
        self.step = 0

    def learn(self, batch: dict[str, Tensor]) -> float:
        """One step on a batch; the loss before it."""
        config = self.config
        rate = config.learning_rate * rate_factor(self.step, config.steps, config.warm_up, 0.0)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        batch = {name: tensor.to(self.device) for name, tensor in batch.items()}
        answer = self.net(batch["image"].contiguous(memory_format=torch.channels_last))
        loss = garment_loss(answer, batch, config.smoothing)
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
        """Write the running mean of the weights as ``garment.safetensors``."""
        save_garment_net(self.folder / "garment.safetensors", self.average.module)
