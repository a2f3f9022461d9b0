"""What each stage computes: a forward pass and its losses.

Every loss is the mean over samples of that sample's own loss. So the gradient of a step is the same whether its
samples pass at once, in several accumulated batches, or in several processes; averages over a whole batch, which
masks of different sizes make, would not be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .. import losses
from ..losses.features import PerceptualLoss
from ..networks import GMM, GMMOutput, TryOnOutput, TryOnSynthesizer
from ..networks.inputs import (
    garment_input,
    garment_seen,
    hem_seen,
    layout_target,
    open_places,
    person_layout,
    repaintable,
    synthesizer_inputs,
)
from .config import LossWeights
from .data import Batch

_SURE = 0.01  # chances are kept this far from 0 and 1, or one pixel's cross-entropy could outweigh a picture's


class Networks(nn.Module):
    """The two networks under the names their weights have on disk."""

    def __init__(self, gmm: GMM, tom: TryOnSynthesizer) -> None:
        super().__init__()
        self.gmm, self.tom = gmm, tom

    def trained(self, trains: str) -> dict[str, nn.Module]:
        """Those that a stage trains."""
        return {"warp": {"gmm": self.gmm}, "synth": {"tom": self.tom}}.get(trains, {"gmm": self.gmm, "tom": self.tom})


class Result(NamedTuple):
    """Of one forward pass."""

    loss: Tensor
    """Scalar: the weighted sum of the terms."""
    terms: dict[str, Tensor]
    """What each loss is, without its weight and without gradient."""
    found: GMMOutput
    made: TryOnOutput | None


def compute(
    trains: str, networks: Networks, batch: Batch, weights: LossWeights, perceptual: PerceptualLoss | None
) -> Result:
    """Forward pass and losses of a stage.

    Args:
        trains: "warp", "synth" or "joint".
        networks: the networks; only the ones the stage trains get gradients.
        batch: items of :mod:`vto_utils.datasets.sample` on the networks' device.
        weights: losses of weight 0 are not computed.
        perceptual: may be None where no perceptual distance is weighed.
    """
    with torch.set_grad_enabled(torch.is_grad_enabled() and trains != "synth"):
        found = warp(networks.gmm, batch)
    if trains == "warp":
        terms = warp_terms(batch, found, weights, perceptual, networks.gmm.config.control_points)
        return _summed(terms, weights, 1.0, found, None)
    inputs = synthesizer_inputs(batch["person"], batch["agnostic_mask"], batch["keypoints"], found)
    made = networks.tom.synthesize(**inputs)
    terms = synth_terms(batch, made, inputs["mask"], weights, perceptual)
    if trains == "joint" and weights.joint_warp:
        terms |= warp_terms(batch, found, weights, perceptual, networks.gmm.config.control_points)
    return _summed(terms, weights, weights.joint_warp, found, made)


def warp(gmm: GMM, batch: Batch) -> GMMOutput:
    """What the GMM finds for a batch."""
    person = person_layout(batch["parse"], batch["agnostic_mask"], batch["keypoints"], batch["category"])
    return gmm.warp(person, garment_input(batch["cloth"], batch["cloth_mask"]))


def warp_terms(
    batch: Batch,
    found: GMMOutput,
    weights: LossWeights,
    perceptual: PerceptualLoss | None,
    control_points: tuple[int, int] = (5, 5),
) -> dict[str, Tensor]:
    """Losses of the warp by their names in :class:`LossWeights`.

    Samples without a known flow have no flow loss; they count as 0 in its mean.
    """
    target, worn = batch["target"], batch["target_garment"]
    valid = batch["flow_valid"] * batch["has_flow"].view(-1, 1, 1, 1)
    # A worn garment may be larger than what may be repainted; there it cannot be seen.
    where = repaintable(batch["agnostic_mask"], batch["parse"], batch["category"])
    aim = worn * where
    hangs = hem_seen(batch["flow"], valid, batch["cloth_mask"])
    nothing = open_places(batch["target_parse"], hangs) * (1 - worn)  # trousers may be the garment itself
    rgb, mask = found.warped[:, :3].float(), found.warped[:, 3:].float()

    def flow() -> Tensor:
        return per_sample(lambda true, known, *flows: losses.multi_level_flow_loss(flows, true, known),
                          batch["flow"], valid, *found.flows[1:])  # fmt: skip

    def smooth() -> Tensor:
        levels = list(enumerate(found.displacements, start=1))
        return sum(n * losses.second_order_smoothness(x) for n, x in levels) / sum(n for n, _ in levels)

    def features() -> Tensor:  # outside the garment both pictures are the same
        return perceptual(target + worn * (rgb - target), target)

    def seen() -> Tensor:
        return per_sample(losses.mask_loss, garment_seen(found).logit(_SURE), aim)

    computed: dict[str, Callable[[], Tensor]] = {
        "flow": flow,
        "coarse_flow": lambda: per_sample(losses.flow_loss, found.coarse_flow, batch["flow"], valid),
        "colour": lambda: per_sample(losses.l1_loss, rgb, target, worn),
        "features": features,
        "seen": seen,
        "cover": lambda: per_sample(losses.l1_loss, mask, torch.ones_like(mask), worn),
        "spill": lambda: per_sample(losses.l1_loss, mask, torch.zeros_like(mask), nothing),
        "layout": lambda: per_sample(
            losses.layout_loss,
            found.layout,
            layout_target(batch["target_parse"], batch["category"], where),
        ),
        "smooth": smooth,
        "bending": lambda: losses.bending_loss(found.theta, control_points),
    }
    return {name: term() for name, term in computed.items() if getattr(weights, name)}


def synth_terms(
    batch: Batch, made: TryOnOutput, seen: Tensor, weights: LossWeights, perceptual: PerceptualLoss | None
) -> dict[str, Tensor]:
    """Losses of the synthesis by their names in :class:`LossWeights`; ``seen`` is the mask it was given."""
    target, image = batch["target"], made.image.float()
    where = repaintable(batch["agnostic_mask"], batch["parse"], batch["category"])
    computed: dict[str, Callable[[], Tensor]] = {
        "image": lambda: losses.l1_loss(image, target),
        "inside": lambda: per_sample(losses.l1_loss, image, target, where),
        "image_features": lambda: perceptual(image, target),
        "composition": lambda: losses.composition_mask_loss(made.mask, seen.detach()),
        "shading_even": lambda: losses.total_variation(made.shading),
        "shading_one": lambda: losses.l1_loss(made.shading, torch.ones_like(made.shading)),
    }
    return {name: term() for name, term in computed.items() if getattr(weights, name)}


def per_sample(loss: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """Mean over the samples of a loss that is taken of each alone; all tensors are [B, ...]."""
    return torch.func.vmap(lambda *sample: loss(*(x[None] for x in sample)))(*tensors).mean()


def needs_perceptual(trains: str, weights: LossWeights) -> bool:
    """Whether a stage weighs a perceptual distance."""
    of_warp, of_synth = weights.features > 0, weights.image_features > 0
    return {"warp": of_warp, "synth": of_synth}.get(trains, of_synth or (of_warp and weights.joint_warp > 0))


_OF_WARP = ("flow", "coarse_flow", "colour", "features", "seen", "cover", "spill", "layout", "smooth", "bending")


def _summed(
    terms: dict[str, Tensor], weights: LossWeights, share: float, found: GMMOutput, made: TryOnOutput | None
) -> Result:
    total = torch.zeros((), device=found.flow.device)
    for name, term in terms.items():
        total = total + getattr(weights, name) * (share if name in _OF_WARP else 1.0) * term
    return Result(total, {name: term.detach() for name, term in terms.items()}, found, made)
