"""PatchDiscriminator: tells photos from try-ons, patch by patch, at several scales.

PatchGAN (Isola et al., CVPR 2017) at full size and at each halving of it (pix2pixHD, Wang et al., CVPR 2018):
the fine scale judges fabric and edges, the coarse ones folds and limbs. Spectral normalisation (Miyato et al.,
ICLR 2018) keeps it from outrunning a generator trained on few pictures. It holds no other normalisation, so every
picture is judged for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

from .layers import check_channels


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Shape of a :class:`PatchDiscriminator`. The default has 1.4 M parameters, with three scales 2.1 M."""

    image_channels: int = 3  # RGB
    condition_channels: int = 0  # of what the image must agree with: agnostic, layout, warped garment; 0 for none
    scales: int = 2  # as HR-VITON; each has half the resolution of the one before
    layers: int = 3  # halvings within a scale: 3 let one logit see 70x70 pixels of it
    width: int = 32  # channels after the first layer; doubled by each next, up to eight times

    def __post_init__(self):
        for name in ("image_channels", "scales", "layers", "width"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}.")
        if self.condition_channels < 0:
            raise ValueError(f"condition_channels must not be negative, got {self.condition_channels}.")


class DiscriminatorOutput(NamedTuple):
    """What :class:`PatchDiscriminator` says of a batch, the finest scale first."""

    logits: tuple[Tensor, ...]
    """[B, 1, h, w] for each scale: positive for photos."""
    features: tuple[tuple[Tensor, ...], ...]
    """For each scale what its layers found, [B, C, h, w] each, shallow to deep: for feature matching."""


class PatchDiscriminator(nn.Module):
    """Multi-scale conditional patch discriminator, for the losses of :mod:`vto_utils.losses`.

    Example:
        >>> judge = PatchDiscriminator(DiscriminatorConfig(condition_channels=3))
        >>> real, fake = judge(photo, agnostic), judge(tryon.detach(), agnostic)
        >>> losses.discriminator_loss(real.logits, fake.logits).backward()
    """

    def __init__(self, config: DiscriminatorConfig | None = None):
        super().__init__()
        self.config = config = config or DiscriminatorConfig()
        self.scales = nn.ModuleList(_Scale(config) for _ in range(config.scales))

    def forward(self, image: Tensor, condition: Tensor | None = None) -> DiscriminatorOutput:
        """Judge a batch.

        In training mode every call takes one more step of the power iteration that finds the spectral norms.

        Args:
            image: [B, image_channels, H, W], any fixed range; H and W at least 2^(scales + layers - 1).
            condition: [B, condition_channels, H, W], if the configuration has one.

        Raises:
            ValueError: the channels are not those of the configuration, sizes differ, or the image is too small.
        """
        config = self.config
        check_channels(image, config.image_channels, "PatchDiscriminator", "image")
        if (condition is None) != (config.condition_channels == 0):
            state = "missing" if condition is None else "given"
            raise ValueError(f"condition is {state}: this discriminator takes {config.condition_channels} channels.")
        if condition is not None:
            check_channels(condition, config.condition_channels, "PatchDiscriminator", "condition")
            if condition.shape[-2:] != image.shape[-2:]:
                raise ValueError(
                    f"image and condition must have one size, got {list(image.shape)} and {list(condition.shape)}."
                )
            image = torch.cat([image, condition.to(image.dtype)], dim=1)
        smallest = 2 ** (config.scales + config.layers - 1)
        if min(image.shape[-2:]) < smallest:
            raise ValueError(
                f"This PatchDiscriminator needs images of {smallest} pixels or more, got {list(image.shape)}."
            )

        logits, features = [], []
        for number, scale in enumerate(self.scales):
            if number:
                # Overlapping windows, so that one-pixel patterns of a generator do not alias away.
                image = F.avg_pool2d(image, 3, stride=2, padding=1, count_include_pad=False)
            answer, found = scale(image)
            logits.append(answer)
            features.append(found)
        return DiscriminatorOutput(tuple(logits), tuple(features))


class _Scale(nn.Module):
    """4x4 convolutions, ``layers`` of them with stride 2, then two of stride 1; all of spectral norm 1."""

    def __init__(self, config: DiscriminatorConfig):
        super().__init__()
        widths = [config.width * min(2**i, 8) for i in range(config.layers + 1)]
        strides = [2] * config.layers + [1]
        inputs = [config.image_channels + config.condition_channels, *widths[:-1]]
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(i, o, 4, stride=s, padding=2))
            for i, o, s in zip(inputs, widths, strides, strict=True)
        )
        self.judge = spectral_norm(nn.Conv2d(widths[-1], 1, 4, padding=2))

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        features = []
        with parametrize.cached():
            # A norm found in half precision drifts, so all are found here, before autocast can interfere.
            with torch.autocast(x.device.type, enabled=False):
                for layer in (*self.layers, self.judge):
                    _ = layer.weight
            for layer in self.layers:
                x = F.leaky_relu(layer(x), 0.2)  # (B, C, about h / 2, about w / 2)
                features.append(x)
            return self.judge(x), tuple(features)
