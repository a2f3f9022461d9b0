"""ParserNet: the network that labels the pixels of a person.

EfficientNet-Lite0 (Tan and Le, ICML 2019; the Lite variants have no squeeze-and-excitation and use ReLU6) finds
features at strides 2 to 32, a narrow feature pyramid (Lin et al., CVPR 2017) brings them together at stride 4.
What is known besides the photo - a person mask, key-point heatmaps - enters by a side stem at stride 4, which
starts at zero: the first layers see what they saw on ImageNet.

The network does not know left from right: its classes are CIHP-20's with both arms, legs and shoes in one class
each, and one class more, the bag, which hides garments and is none. Left and right are decided afterwards, with
the pose (:func:`to_cihp`), so a mirrored photo is a mirrored answer.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..labels import ID
from .layers import Fuse, check_channels, check_widths, norm, resize

#: The network's classes by number.
CLASSES = (
    "background", "hat", "hair", "glove", "sunglasses", "upper-clothes", "dress", "coat", "socks", "pants",
    "torso-skin", "scarf", "skirt", "face", "arm", "leg", "shoe", "bag",
)  # fmt: skip
CLASS = {name: number for number, name in enumerate(CLASSES)}

#: Of the pixel values [0, 255] the ImageNet weights were trained with.
MEAN, STD = 127.0, 128.0
STRIDE = 32  # height and width of the input are multiples of this

_FEATURES = (16, 24, 40, 112, 320)  # channels at strides 2, 4, 8, 16, 32
# Stages of EfficientNet-Lite0: blocks, kernel, stride, expansion, channels.
_STAGES = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
)  # fmt: skip
_LAST_OF_STRIDE = (0, 1, 2, 4, 6)  # the stages whose result is a feature


@dataclass(frozen=True)
class ParserConfig:
    """Shape of a :class:`ParserNet`."""

    mask_channels: int = 1  # 1: a person mask is given, 0: it is not
    pose_channels: int = 7  # key-point heatmaps, 0 for none
    width: int = 128  # channels of the decoder
    depths: tuple[int, int, int, int] = (1, 1, 2, 2)  # blocks of the decoder at strides 4, 8, 16, 32
    side_width: int = 32  # channels of the side stem

    def __post_init__(self):
        object.__setattr__(self, "depths", tuple(self.depths))  # JSON gives a list
        if self.mask_channels not in (0, 1):
            raise ValueError(f"mask_channels is 0 or 1, got {self.mask_channels}.")
        if self.pose_channels < 0:
            raise ValueError("pose_channels must not be negative.")
        if len(self.depths) != 4 or min(self.depths) < 0:
            raise ValueError(f"depths are four numbers, none negative, got {self.depths}.")
        check_widths(self.width, self.side_width)

    @property
    def extra_channels(self) -> int:
        """Channels of the input after the three of the photo."""
        return self.mask_channels + self.pose_channels


class ParserNet(nn.Module):
    """Labels the pixels of a person. 3.5 M parameters, 3.0 M of them the encoder.

    Example:
        >>> net = ParserNet()
        >>> net.encoder.load_imagenet(assets.fetch("efficientnet-lite0"))
        >>> logits = net(x)  # [B, 3 + 8, H, W] -> [B, 18, H / 4, W / 4]
        >>> classes = enlarge(logits, (H, W)).argmax(1)  # numbers of CLASSES
    """

    def __init__(self, config: ParserConfig | None = None):
        super().__init__()
        self.config = config = config or ParserConfig()
        self.encoder = LiteEncoder()
        if config.extra_channels:
            self.side = nn.Sequential(
                nn.Conv2d(config.extra_channels, config.side_width, 3, padding=1),
                norm(config.side_width),
                nn.ReLU(inplace=True),
            )
            self.side_encoder = nn.Conv2d(config.side_width, _FEATURES[1], 1)
            nn.init.zeros_(self.side_encoder.weight)
            nn.init.zeros_(self.side_encoder.bias)
        width, depths = config.width, config.depths
        skips = list(_FEATURES[1:])
        skips[0] += config.side_width if config.extra_channels else 0
        self.context = Fuse(2 * skips[3], width, depths[3])  # stride 32, with the mean of the whole picture
        self.merge = nn.ModuleList(Fuse(skips[i] + width, width, depths[i]) for i in range(3))  # strides 4, 8, 16
        self.classify = nn.Conv2d(width, len(CLASSES), 1)

    def forward(self, x: Tensor) -> Tensor:
        """Label a batch.

        Args:
            x: [B, 3 + extra_channels, H, W]; RGB as ``(pixel - MEAN) / STD``, then the person mask in [0, 1],
                then the heatmaps in [0, 1]. H and W are multiples of 32.

        Returns:
            [B, 18, H / 4, W / 4] logits of :data:`CLASSES`.

        Raises:
            ValueError: channels or size are not those.
        """
        check_channels(x, 3 + self.config.extra_channels, "ParserNet", "x")
        if x.shape[-2] % STRIDE or x.shape[-1] % STRIDE:
            raise ValueError(f"Height and width must be multiples of {STRIDE}, got {list(x.shape[-2:])}.")
        image, extras = x[:, :3], x[:, 3:]
        side = None
        if self.config.extra_channels:
            side = self.side(F.avg_pool2d(extras, 4))  # (B, side_width, H/4, W/4)
        features = self.encoder(image, None if side is None else self.side_encoder(side))[1:]  # strides 4, 8, 16, 32
        if side is not None:
            features[0] = torch.cat([features[0], side], dim=1)
        deepest = features[3]
        everywhere = deepest.mean((2, 3), keepdim=True).expand_as(deepest)
        y = self.context(torch.cat([deepest, everywhere], dim=1))  # (B, width, H/32, W/32)
        for merge, feature in zip(reversed(self.merge), reversed(features[:3]), strict=True):
            y = merge(torch.cat([feature, resize(y, feature.shape[-2:])], dim=1))  # (B, width, twice, twice)
        return self.classify(y)


def enlarge(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring logits [B, C, h, w] to [B, C, *size], (height, width), bilinearly."""
    return resize(logits, size)


class LiteEncoder(nn.Module):
    """EfficientNet-Lite0 without its classifier.

    Batch normalisation keeps ImageNet's statistics, in training too: the batches that fit on a small machine
    are too few pictures to measure new ones, and one photo is then treated as it was in training.
    """

    def __init__(self):
        super().__init__()
        self.stem = _Unit(3, 32, 3, stride=2)
        channels, stages = 32, []
        for count, kernel, stride, expansion, wide in _STAGES:
            blocks = []
            for number in range(count):
                blocks.append(_InvertedResidual(channels, wide, kernel, stride if number == 0 else 1, expansion))
                channels = wide
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, image: Tensor, addition: Tensor | None = None) -> list[Tensor]:
        """Features of [B, 3, H, W] at strides 2, 4, 8, 16 and 32: [B, 16, 24, 40, 112, 320 channels, ...].

        Args:
            addition: [B, 24, H/4, W/4], added to the feature at stride 4.
        """
        x = self.stem(image)
        features = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number == _LAST_OF_STRIDE[1] and addition is not None:
                x = x + addition
            if number in _LAST_OF_STRIDE:
                features.append(x)
        return features

    def train(self, mode: bool = True) -> LiteEncoder:
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def load_imagenet(self, path: str | os.PathLike) -> None:
        """Take the weights of ``efficientnet-lite0-57934424.pth`` (the asset "efficientnet-lite0").

        Raises:
            ValueError: the file holds other weights.
        """
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.load_state_dict(translate_imagenet(state, self.state_dict()))


def translate_imagenet(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The file's tensors under the encoder's names. Both hold the same layers in the same order.

    Args:
        state: of the file: the encoder's layers, then ``_conv_head``, ``_bn1`` and ``_fc`` of the classifier.
        own: the encoder's ``state_dict``.

    Raises:
        ValueError: a tensor is missing, is one too many, or has another shape or role.
    """
    classifier = ("_conv_head.", "_bn1.", "_fc.")
    theirs = {name: tensor for name, tensor in state.items() if not name.startswith(classifier)}
    if len(theirs) != len(own):
        raise ValueError(f"The file holds {len(theirs)} tensors of EfficientNet-Lite0's {len(own)}.")
    result = {}
    for (name, tensor), (target, wanted) in zip(theirs.items(), own.items(), strict=True):
        if name.rsplit(".")[-1] != target.rsplit(".")[-1] or tensor.shape != wanted.shape:
            raise ValueError(f"{name} {list(tensor.shape)} of the file is not {target} {list(wanted.shape)}.")
        result[target] = tensor
    return result


class _Unit(nn.Sequential):
    """Convolution, batch normalisation and ReLU6; padded as TensorFlow does, the odd pixel right and below."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1):
        layers: list[nn.Module] = []
        if stride == 2:  # of sizes that are even: they are multiples of 32 at the start
            layers.append(nn.ZeroPad2d(((kernel - 2) // 2, (kernel - 1) // 2) * 2))
        padding = 0 if stride == 2 else kernel // 2
        layers += [
            nn.Conv2d(channels_in, channels_out, kernel, stride, padding, groups=groups, bias=False),
            nn.BatchNorm2d(channels_out, eps=1e-3),
            nn.ReLU6(inplace=True),
        ]
        super().__init__(*layers)


class _InvertedResidual(nn.Module):
    """MobileNetV2's block: widen, filter each channel, narrow."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        wide = channels_in * expansion
        self.expand = _Unit(channels_in, wide, 1) if expansion > 1 else nn.Identity()
        self.spatial = _Unit(wide, wide, kernel, stride, groups=wide)
        self.project = nn.Sequential(nn.Conv2d(wide, channels_out, 1, bias=False), nn.BatchNorm2d(channels_out, 1e-3))
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.spatial(self.expand(x)))
        return x + y if self.residual else y


def to_cihp(classes: np.ndarray, left_arm: np.ndarray, left_leg: np.ndarray) -> np.ndarray:
    """CIHP-20 ids of the network's classes.

    Args:
        classes: (H, W) numbers of :data:`CLASSES`.
        left_arm, left_leg: (H, W) bool: what is arm, or leg or shoe, here is the person's own left one.

    Returns:
        (H, W) uint8 ids of :mod:`vto_utils.labels`. The bag, which CIHP does not know, is background.
    """
    table = np.array([ID.get(name, 0) for name in CLASSES], np.uint8)
    result = table[classes]
    for name, left in (("arm", left_arm), ("leg", left_leg), ("shoe", left_leg)):
        here = classes == CLASS[name]
        result[here] = np.where(left[here], ID[f"left-{name}"], ID[f"right-{name}"])
    return result


def from_cihp(ids: np.ndarray, bag: int = 20, unknown: int = 255) -> np.ndarray:
    """The network's classes of (H, W) CIHP-20 ids, where ``bag`` marks bags and ``unknown`` stays unknown.

    Returns:
        (H, W) uint8.
    """
    table = np.full(256, unknown, np.uint8)
    for name, number in ID.items():
        table[number] = CLASS[name.removeprefix("left-").removeprefix("right-")]
    table[bag] = CLASS["bag"]
    table[unknown] = unknown
    return table[ids]
