"""Adversarial losses on what a discriminator says of photos and of try-ons.

A discriminator answers with logits for every patch at every scale, and with the features it found on the
way: :class:`vto_utils.networks.discriminator.DiscriminatorOutput`. Scales count alike, whatever their size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .averages import precise

FORMS = ("hinge", "least-squares")


def discriminator_loss(real: Sequence[Tensor], fake: Sequence[Tensor], form: str = "hinge") -> Tensor:
    """What the discriminator minimises.

        hinge          mean max(0, 1 - D(real)) + mean max(0, 1 + D(fake))   Lim and Ye, 2017; Miyato et al., 2018
        least-squares  (mean (D(real) - 1)^2 + mean D(fake)^2) / 2           Mao et al., ICCV 2017

    Detach the fake images before they are judged: the generator must not learn from this. Weight: 1.

    Args:
        real, fake: logits of any shape, one tensor a scale.

    Raises:
        ValueError: no scale, not as many of one as of the other, or the form is unknown.
    """
    _check(form, real, fake)
    if form == "hinge":
        return _over_scales(real, lambda x: F.relu(1 - x)) + _over_scales(fake, lambda x: F.relu(1 + x))
    return (_over_scales(real, lambda x: (x - 1).square()) + _over_scales(fake, torch.square)) / 2


def generator_loss(fake: Sequence[Tensor], form: str = "hinge") -> Tensor:
    """What the generator minimises.

        hinge          -mean D(fake)
        least-squares  mean (D(fake) - 1)^2

    Weight: 1 (HR-VITON: least squares for its condition generator, hinge for its image generator), 0.1 for
    least squares on warps (GP-VTON).

    Args and errors as :func:`discriminator_loss`.
    """
    _check(form, fake, fake)
    return _over_scales(fake, torch.neg if form == "hinge" else lambda x: (x - 1).square())


def feature_matching_loss(real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]]) -> Tensor:
    """L1 between the discriminator's features of the photo and of the try-on, summed over layers.

    The mean is over scales. The photo's features are the aim and carry no gradient. pix2pixHD (Wang et al.,
    CVPR 2018). Weight: 10 (pix2pixHD, HR-VITON).

    Args:
        real, fake: features of each layer of each scale, equal shapes.

    Raises:
        ValueError: numbers or shapes differ.
    """
    shapes = [[[list(x.shape) for x in scale] for scale in side] for side in (real, fake)]
    if not real or shapes[0] != shapes[1]:
        raise ValueError(f"Features must match in number and shape, got {shapes[0]} and {shapes[1]}.")
    total = sum(
        (precise(y) - precise(x.detach())).abs().mean()
        for ours, theirs in zip(real, fake, strict=True)
        for x, y in zip(ours, theirs, strict=True)
    )
    return total / len(real)


def _check(form: str, real: Sequence[Tensor], fake: Sequence[Tensor]) -> None:
    if form not in FORMS:
        raise ValueError(f"Unknown adversarial loss {form!r}: choose one of {', '.join(FORMS)}.")
    if isinstance(real, Tensor) or isinstance(fake, Tensor) or not real or len(real) != len(fake):
        raise ValueError("Logits must come as one tensor a scale, in a list, as many for real as for fake.")


def _over_scales(logits: Sequence[Tensor], cost: Callable[[Tensor], Tensor]) -> Tensor:
    return sum(cost(precise(x)).mean() for x in logits) / len(logits)
