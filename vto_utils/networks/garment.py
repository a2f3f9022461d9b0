"""GarmentNet: the network that reads a garment photo - where the garment is, what it is, and whether it is one.

EfficientNet-Lite0 (:class:`~vto_utils.networks.parser.LiteEncoder`) finds features at strides 4 to 32, a narrow
feature pyramid (Lin et al., CVPR 2017) brings them together at stride 4 to the mask. The deepest features, their
mean over the whole picture and over the garment as the mask has it, say what is shown.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass

import safetensors.torch
import torch
from torch import Tensor, nn

from ..errors import InputError
from ..files import atomic_path
from .layers import Fuse, check_channels, check_widths, resize
from .parser import STRIDE, LiteEncoder

#: Labels of garments by number, as the clothing photos have them.
LABELS = (
    "T-Shirt", "Longsleeve", "Shirt", "Polo", "Undershirt", "Top", "Blouse", "Hoodie", "Blazer", "Outwear",
    "Pants", "Shorts", "Skirt", "Dress",
)  # fmt: skip
#: DressCode's words, by number.
CATEGORIES = ("upper_body", "lower_body", "dresses")
#: Label -> category.
CATEGORY_OF = {label: CATEGORIES[0] for label in LABELS[:10]} | {label: CATEGORIES[1] for label in LABELS[10:13]}
CATEGORY_OF["Dress"] = CATEGORIES[2]
#: What a photo can show, by number.
KINDS = ("garment", "person", "several", "nothing")

_FEATURES = (24, 40, 112, 320)  # channels of the encoder at strides 4, 8, 16, 32


@dataclass(frozen=True)
class GarmentConfig:
    """Shape of a :class:`GarmentNet`."""

    width: int = 64  # channels of the decoder
    depths: tuple[int, int, int, int] = (1, 1, 1, 1)  # blocks of the decoder at strides 4, 8, 16, 32
    hidden: int = 128  # channels of the features that labels are read from

    def __post_init__(self):
        object.__setattr__(self, "depths", tuple(self.depths))  # JSON gives a list
        if len(self.depths) != 4 or min(self.depths) < 0:
            raise ValueError(f"depths are four numbers, none negative, got {self.depths}.")
        check_widths(self.width, self.hidden)


@dataclass(frozen=True)
class GarmentAnswer:
    """What a :class:`GarmentNet` says of a batch."""

    mask: Tensor  # [B, 1, H / 4, W / 4] logits: garment
    label: Tensor  # [B, 14] logits of LABELS
    kind: Tensor  # [B, 4] logits of KINDS


class GarmentNet(nn.Module):
    """Reads garment photos. 3.2 M parameters, 3.0 M of them the encoder.

    Example:
        >>> net = GarmentNet()
        >>> net.encoder.load_imagenet(assets.fetch("efficientnet-lite0"))
        >>> answer = net(x)  # [B, 3, H, W]
        >>> mask = enlarge(answer.mask, (H, W)).sigmoid()
    """

    def __init__(self, config: GarmentConfig | None = None):
        super().__init__()
        self.config = config = config or GarmentConfig()
        self.encoder = LiteEncoder()
        width, depths = config.width, config.depths
        self.context = Fuse(2 * _FEATURES[3], width, depths[3])  # stride 32, with the mean of the whole picture
        self.merge = nn.ModuleList(Fuse(_FEATURES[i] + width, width, depths[i]) for i in range(3))
        self.mask = nn.Conv2d(width, 1, 1)
        pooled = 2 * (_FEATURES[3] + _FEATURES[2])
        self.read = nn.Sequential(nn.Linear(pooled, config.hidden), nn.ReLU(inplace=True))
        self.label = nn.Linear(config.hidden, len(LABELS))
        self.kind = nn.Linear(config.hidden, len(KINDS))

    def forward(self, x: Tensor) -> GarmentAnswer:
        """Read a batch.

        Args:
            x: [B, 3, H, W] RGB as ``(pixel - MEAN) / STD`` (:mod:`vto_utils.networks.parser`); H and W are
                multiples of 32.

        Raises:
            ValueError: channels or size are not those.
        """
        check_channels(x, 3, "GarmentNet", "x")
        if x.shape[-2] % STRIDE or x.shape[-1] % STRIDE:
            raise ValueError(f"Height and width must be multiples of {STRIDE}, got {list(x.shape[-2:])}.")
        features = self.encoder(x)[1:]  # strides 4, 8, 16, 32
        deepest = features[3]
        everywhere = deepest.mean((2, 3), keepdim=True).expand_as(deepest)
        y = self.context(torch.cat([deepest, everywhere], dim=1))
        for merge, feature in zip(reversed(self.merge), reversed(features[:3]), strict=True):
            y = merge(torch.cat([feature, resize(y, feature.shape[-2:])], dim=1))
        mask = self.mask(y)
        # What the mask is learned from must not be bent by the labels: no gradient goes back through it.
        weight = mask.detach().float().sigmoid()
        pooled = []
        for feature in (deepest, features[2]):
            share = nn.functional.adaptive_avg_pool2d(weight, feature.shape[-2:]).to(feature.dtype)
            pooled.append(feature.mean((2, 3)))
            pooled.append((feature * share).sum((2, 3)) / (share.sum((2, 3)) + 1e-3))
        read = self.read(torch.cat(pooled, dim=1))
        return GarmentAnswer(mask, self.label(read), self.kind(read))


def category_logits(label: Tensor) -> Tensor:
    """[B, 3] logits of :data:`CATEGORIES` from [B, 14] of :data:`LABELS`: chances of labels of one category add."""
    rows = [[i for i, name in enumerate(LABELS) if CATEGORY_OF[name] == category] for category in CATEGORIES]
    return torch.stack([label[:, row].logsumexp(1) for row in rows], 1)


def save_garment_net(path: str | os.PathLike, net: GarmentNet) -> None:
    """Write a network as float16 safetensors, its configuration among the metadata."""
    state = {name: t.detach().cpu().contiguous() for name, t in net.state_dict().items()}
    state = {name: t.half() if t.is_floating_point() else t for name, t in state.items()}
    metadata = {"format": "pt", "config": json.dumps(dataclasses.asdict(net.config))}
    with atomic_path(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(state, metadata=metadata))


def load_garment_net(path: str | os.PathLike) -> GarmentNet:
    """The network of :func:`save_garment_net`: float32, on the CPU, in evaluation mode.

    Raises:
        InputError: the file is missing, damaged or of another network.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            config = GarmentConfig(**json.loads(file.metadata()["config"]))
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 -- not a dict
        with torch.random.fork_rng(devices=[]):
            net = GarmentNet(config)
        net.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in state.items()})
    except Exception as error:  # a damaged file can fail in any layer
        raise InputError(f"{path} holds no garment reader ({error}): copy it again, or train one.") from error
    return net.eval()
