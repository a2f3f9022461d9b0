"""The discriminator's part in the last steps of a joint stage."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from .. import losses
from ..networks import LAYOUT, DiscriminatorConfig, PatchDiscriminator
from ..networks.inputs import agnostic_rgb
from .config import LossWeights
from .data import Batch
from .stages import Result


class Adversary(nn.Module):
    """Judges try-ons beside photos, given the agnostic person and the layout (hinge loss, as HR-VITON).

    Within a step its norms stay as they are, so that a step of many small batches is one of a large batch.

    Args:
        config: its ``condition_channels`` are set here.
    """

    def __init__(self, config: DiscriminatorConfig | None = None) -> None:
        super().__init__()
        config = dataclasses.replace(config or DiscriminatorConfig(), condition_channels=3 + len(LAYOUT))
        self.discriminator = PatchDiscriminator(config).eval()

    def begin_step(self) -> None:
        """One step of the power iteration that finds the spectral norms."""
        self.discriminator.train()
        for module in self.discriminator.modules():
            if parametrize.is_parametrized(module):
                with torch.no_grad():
                    _ = module.weight
        self.discriminator.eval()

    def of_generator(self, batch: Batch, result: Result, weights: LossWeights) -> Result:
        """The result with what the discriminator says of the try-on; its own weights get no gradient."""
        condition = self._condition(batch, result)
        self.requires_grad_(False)
        try:
            fake = self.discriminator(result.made.image, condition)
            terms = {"adversarial": losses.generator_loss(fake.logits)}
            if weights.matching:
                with torch.no_grad():
                    real = self.discriminator(batch["target"], condition)
                terms["matching"] = losses.feature_matching_loss(real.features, fake.features)
        finally:
            self.requires_grad_(True)
        # The weight of feature matching is relative, as in the papers that have both.
        extra = weights.adversarial * (terms["adversarial"] + weights.matching * terms.get("matching", 0.0))
        shown = {name: term.detach() for name, term in terms.items()}
        return result._replace(loss=result.loss + extra, terms=result.terms | shown)

    def of_discriminator(self, batch: Batch, result: Result) -> Tensor:
        """What the discriminator minimises; the try-on gets no gradient."""
        condition = self._condition(batch, result)
        fake = self.discriminator(result.made.image.detach(), condition)
        real = self.discriminator(batch["target"], condition)
        return losses.discriminator_loss(real.logits, fake.logits)

    @staticmethod
    def _condition(batch: Batch, result: Result) -> Tensor:
        person = agnostic_rgb(batch["person"], batch["agnostic_mask"])
        return torch.cat([person, result.found.layout.detach().float().softmax(1)], dim=1)
