"""Perceptual loss: the L1 distance between what an ImageNet network sees in two pictures.

Gatys et al., CVPR 2016; Johnson et al., "Perceptual losses for real-time style transfer", ECCV 2016. Two networks
can serve: VGG19, which the published weights were tuned with, and EfficientNet-Lite0, which is thirty times
smaller and comes with the package registry. Their values are not comparable with each other, nor with
the metrics that calibrate such distances on human judgements.
"""

from __future__ import annotations

import contextlib
import http.client
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..assets import fetch
from ..errors import AssetError, InputError
from ..networks.parser import MEAN, STD, LiteEncoder
from ..runtime import Choice
from .averages import check_image, check_mask, check_pair, precise, weighted_mean

BACKBONES = ("auto", "vgg19", "efficientnet-lite0")

VGG19_URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"  # 575 MB; torchvision, BSD-3-Clause
_SECONDS = 5  # an unreachable hub must not keep anybody waiting


class VGG19Features(nn.Module):
    """relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1 of VGG19 (Simonyan and Zisserman, ICLR 2015)."""

    name = "vgg19"
    stride = 16
    # The distance is dominated by no layer with these: pix2pixHD (Wang et al., CVPR 2018), CP-VTON, HR-VITON.
    weights = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)

    _ENDS = (2, 7, 12, 21, 30)  # of the slices, each up to and with its ReLU

    def __init__(self):
        super().__init__()
        from torchvision.models import vgg

        layers = vgg.make_layers(vgg.cfgs["E"], batch_norm=False)
        starts = (0, *self._ENDS[:-1])
        self.slices = nn.ModuleList(layers[a:b] for a, b in zip(starts, self._ENDS, strict=True))
        # Means and spreads of ImageNet's RGB in [0, 1], as the weights were trained with.
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), persistent=False)

    def load_imagenet(self, path: str | Path) -> None:
        """Take the weights of torchvision's ``vgg19-dcbb9e9d.pth``.

        Raises:
            AssetError: the file is broken or holds other weights.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            own = nn.Sequential(*(layer for part in self.slices for layer in part))  # numbered as in the file
            wanted = {f"features.{name}": name for name in own.state_dict()}
            own.load_state_dict({name: state[key] for key, name in wanted.items()})
        except Exception as error:  # a broken file fails in many ways
            raise AssetError(f"{path} does not hold VGG19's weights: delete it, and it is fetched again.") from error

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of RGB [B, 3, H, W] in [-1, 1] at strides 1, 2, 4, 8, 16: 64, 128, 256, 512, 512 channels."""
        x, features = ((image + 1) / 2 - self.mean) / self.std, []
        for part in self.slices:
            x = part(x)
            features.append(x)
        return features


class LiteFeatures(nn.Module):
    """EfficientNet-Lite0's features at strides 2 to 32 (Tan and Le, ICML 2019), each layer brought to unit spread.

    So all layers count alike and no weights need tuning: two unrelated photos are 0.6 to 0.9 apart at every layer,
    a photo and its blur of one pixel (at 256x192) 0.13 to 0.37. Of the five, strides 2 and 4 answer to noise and
    texture, 8 and 16 to shapes that moved or went soft, 32, where a move of few pixels is nothing, to things
    missing or of the wrong colour.
    """

    name = "efficientnet-lite0"
    stride = 32
    weights = (0.2, 0.2, 0.2, 0.2, 0.2)

    def __init__(self):
        super().__init__()
        self.encoder = LiteEncoder()
        self.register_buffer("spread", self._spread(), persistent=False)  # (5,)

    def load_imagenet(self, path: str | Path) -> None:
        """Take the weights of the asset "efficientnet-lite0"; errors as ``LiteEncoder.load_imagenet``."""
        self.encoder.load_imagenet(path)
        self.spread.copy_(self._spread())

    def _spread(self) -> Tensor:
        """Spread of each layer over ImageNet: the mean over channels of the standard deviation, (5,).

        No picture is needed. A layer is the sum of its blocks' last batch normalisations, and what one of
        these gives has, over the pictures it was trained on, its own scale as standard deviation.
        """
        result = []
        for number in (0, 1, 2, 4, 6):  # the stages that end in a feature
            scales = torch.stack([block.project[1].weight.detach() for block in self.encoder.stages[number]])
            result.append(scales.square().sum(0).sqrt().mean())  # as if the blocks knew nothing of each other
        return torch.stack(result)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of RGB [B, 3, H, W] in [-1, 1] at strides 2, 4, 8, 16, 32: 16, 24, 40, 112, 320 channels."""
        features = self.encoder(((image + 1) * 127.5 - MEAN) / STD)
        return [feature / spread for feature, spread in zip(features, self.spread, strict=True)]


class PerceptualLoss(nn.Module):
    """sum over layers l of w_l mean |phi_l(x) - phi_l(y)|.

    The network is frozen and always in evaluation mode; gradients flow to the image alone. Its weights stay out
    of ``state_dict``-s if this module is no part of the trained one.

    Weight: 1 for the try-on beside an L1 of 1 (CP-VTON) or 5 (PF-AFN), 0.2 for the warp beside an L1 of 1
    (PF-AFN), 10 in HR-VITON's image generator beside a GAN loss of 1. All were found with VGG19; for
    EfficientNet-Lite0 they are where to start.

    Example:
        >>> criterion, reason = (choice := perceptual()).value, choice.reason
        >>> loss = criterion.to(device)(output, target)  # [B, 3, H, W] in [-1, 1] each
    """

    def __init__(
        self,
        network: VGG19Features | LiteFeatures,
        weights: Sequence[float] | None = None,
        autocast: bool = False,
    ):
        """
        Args:
            network: with its weights loaded.
            weights: of the layers, from shallow to deep; None for the network's own.
            autocast: let a surrounding autocast choose the format of the network's convolutions: faster on a GPU,
                a little coarser. Otherwise they are float32. Differences are taken in float32 either way.
        """
        super().__init__()
        self.network, self.autocast = network.requires_grad_(False).eval(), autocast
        self.weights = tuple(network.weights if weights is None else weights)
        if len(self.weights) != len(network.weights) or min(self.weights) < 0 or not any(self.weights):
            raise ValueError(f"weights must be {len(network.weights)} numbers, none negative, got {self.weights}.")

    @property
    def backbone(self) -> str:
        """Name of the network, one of BACKBONES."""
        return self.network.name

    def train(self, mode: bool = True) -> PerceptualLoss:
        return super().train(False)

    def forward(self, image: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        """Distance between two batches.

        Args:
            image, target: [B, 3, H, W] RGB in [-1, 1], any size; edges are repeated up to a multiple of the
                network's stride, and the added cells count nothing.
            mask: [B, 1, H, W] in [0, 1]. Outside it the image is replaced by the target, so nothing there
                counts, and the features are averaged with the mask's share of each cell as weight.

        Returns:
            Scalar float32; 0 for equal images or an empty mask.

        Raises:
            ValueError: wrong shapes.
        """
        check_image(image, "image", 3)
        check_pair(image, target, "image")
        check_mask(mask, image)
        dtype = next(self.network.parameters()).dtype
        image, target = image.to(dtype), target.detach().to(dtype)
        if mask is not None:
            mask = mask.detach().to(dtype)
            target = target.where(mask > 0, 0)
            image = target + mask * (image.where(mask > 0, 0) - target)
        height, width = image.shape[-2:]
        extra = (0, -width % self.network.stride, 0, -height % self.network.stride)
        if any(extra):
            mask = F.pad(torch.ones_like(image[:, :1]) if mask is None else mask, extra)
            image, target = (F.pad(x, extra, mode="replicate") for x in (image, target))

        outside = contextlib.nullcontext() if self.autocast else torch.autocast(image.device.type, enabled=False)
        with outside:
            with torch.no_grad():
                theirs = self.network(target)
            ours = self.network(image)
        total = 0
        for x, y, weight in zip(ours, theirs, self.weights, strict=True):
            share = None if mask is None else F.adaptive_avg_pool2d(mask, tuple(x.shape[-2:]))
            total = total + weight * weighted_mean((precise(x) - precise(y)).abs(), share)
        return total


def perceptual(
    backbone: str = "auto", weights: Sequence[float] | None = None, autocast: bool = False, progress: bool = True
) -> Choice:
    """Build the perceptual loss with ImageNet weights.

    Args:
        backbone: "vgg19"; "efficientnet-lite0"; or "auto": VGG19 where its file is in torch's hub cache or can be
            fetched, else EfficientNet-Lite0.
        weights, autocast: of :class:`PerceptualLoss`.
        progress: show downloads on stderr.

    Returns:
        Choice of a :class:`PerceptualLoss`, on the CPU, with the reason for its backbone.

    Raises:
        InputError: the backbone is unknown.
        AssetError: its weights are neither here nor to be had, or broken.
    """
    if backbone not in BACKBONES:
        raise InputError(f"Unknown perceptual backbone {backbone!r}: choose one of {', '.join(BACKBONES)}.")
    asked = "" if backbone == "auto" else "as asked, "
    lacking = ""
    if backbone != "efficientnet-lite0":
        try:
            path, place = _vgg19_file(progress)
        except _Unavailable as error:
            if backbone == "vgg19":
                raise AssetError(
                    f"{error}: copy it there, or choose the backbone 'efficientnet-lite0' or 'auto'."
                ) from error
            lacking = str(error)
        else:
            network = VGG19Features()
            network.load_imagenet(path)
            return Choice(PerceptualLoss(network, weights, autocast), f"{asked}VGG19, weights {place}")
    network = LiteFeatures()
    network.load_imagenet(fetch("efficientnet-lite0", progress))
    reason = f"{asked}EfficientNet-Lite0" + (f", for {lacking}" if lacking else "")
    return Choice(PerceptualLoss(network, weights, autocast), reason)


class _Unavailable(Exception):
    """VGG19's file cannot be had; the text says where it was sought."""


def _vgg19_file(progress: bool) -> tuple[Path, str]:
    """Path of VGG19's weights in torch's hub cache, fetched if need be, and where they were found."""
    file = VGG19_URL.rsplit("/", 1)[-1]
    path = Path(torch.hub.get_dir()) / "checkpoints" / file
    if path.is_file():
        return path, f"found in {path.parent}"
    host = urlsplit(VGG19_URL).hostname or VGG19_URL
    missing = f"{file} is not in {path.parent} and {host}"
    try:
        # Knock first: torch.hub waits without limit.
        urllib.request.urlopen(urllib.request.Request(VGG19_URL, method="HEAD"), timeout=_SECONDS).close()
    except (OSError, http.client.HTTPException) as error:
        raise _Unavailable(f"{missing} cannot be reached ({getattr(error, 'reason', None) or error})") from error
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The name carries the first digits of the SHA-256. Written whole or not at all.
        digits = path.stem.rsplit("-", 1)[-1]
        torch.hub.download_url_to_file(VGG19_URL, str(path), digits, progress)
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        raise _Unavailable(f"{missing} did not deliver it ({error})") from error
    return path, f"fetched from {host}"
