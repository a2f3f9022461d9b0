"""The few building blocks both networks share, and the geometry of flows.

A flow is [B, 2, H, W], float32, normalised (x, y): for every pixel the absolute position in another image
where its value is to be read, as ``grid_sample(align_corners=False)`` counts (-1 and 1 are the outer edges).
A displacement is a flow minus the identity flow. Both are free of resolution: resized, they need no scaling.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..tps import pixel_centres


def norm(channels: int) -> nn.GroupNorm:
    """GroupNorm: knows nothing of the batch, so one photo at inference is treated as in training."""
    return nn.GroupNorm(max(1, channels // 16), channels)


def check_widths(*widths: int) -> None:
    """Raise ValueError unless :func:`norm` can split every width into its groups."""
    if any(w < 1 or (w > 16 and w % 16) for w in widths):
        raise ValueError(f"Widths must be multiples of 16, or below 16, got {widths}.")


class Block(nn.Module):
    """Residual block: depthwise convolution, norm, pointwise expansion, ReLU, pointwise projection.

    One norm, on the narrow side: in eager mode on a CPU the elementwise passes cost as much as the
    convolutions. The shape is ConvNeXt's (Liu et al., CVPR 2022) with MobileNetV2's narrow expansion.
    """

    def __init__(self, channels: int, expansion: int = 2, size: int = 5):
        super().__init__()
        self.spatial = nn.Conv2d(channels, channels, size, padding=size // 2, groups=channels)
        self.norm = norm(channels)
        self.expand = nn.Conv2d(channels, channels * expansion, 1)
        self.project = nn.Conv2d(channels * expansion, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.spatial(x))  # (B, C, H, W)
        y = F.relu(self.expand(y), inplace=True)  # (B, C * expansion, H, W)
        return x + self.project(y)  # (B, C, H, W)


def blocks(channels: int, depth: int, size: int = 5) -> nn.Sequential:
    """``depth`` blocks. A CPU learns 3x3 depthwise filters ten times as fast as 5x5 ones."""
    return nn.Sequential(*(Block(channels, size=size) for _ in range(depth)))


class Down(nn.Sequential):
    """Halve the resolution: 3x3 stride-2 convolution, norm, ReLU."""

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__(
            nn.Conv2d(channels_in, channels_out, 3, stride=2, padding=1),
            norm(channels_out),
            nn.ReLU(inplace=True),
        )


class Fuse(nn.Sequential):
    """Bring concatenated features to one width and let them meet: 1x1 convolution, then blocks."""

    def __init__(self, channels_in: int, channels_out: int, depth: int, size: int = 5):
        joined = nn.Conv2d(channels_in, channels_out, 1)
        super().__init__(joined, norm(channels_out), *blocks(channels_out, depth, size))


class Head(nn.Conv2d):
    """Last convolution of a branch, times ``gain``; starts as the constant ``start``, so all starts neutral.

    Adam moves every weight by the learning rate, whatever it feeds, so a head's answer moves with the number
    of its inputs. The gain sets that pace: logits quick, positions slow.
    """

    def __init__(self, channels_in: int, channels_out: int, gain: float, size: int = 1, start: float = 0.0):
        super().__init__(channels_in, channels_out, size, padding=size // 2)
        self.gain = gain
        nn.init.zeros_(self.weight)
        nn.init.constant_(self.bias, start / gain)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.gain


def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear [B, C, H, W] -> [B, C, *size]; the input itself when it has that size already."""
    if tuple(x.shape[-2:]) == tuple(size):
        return x
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


def identity_flow(like: Tensor) -> Tensor:
    """[1, 2, H, W] float32: every pixel of ``like`` [..., H, W] reads at its own place."""
    return pixel_centres(tuple(like.shape[-2:]), device=like.device).permute(0, 3, 1, 2)


def resize_flow(flow: Tensor, size: tuple[int, int]) -> Tensor:
    """A flow [B, 2, H, W] at another resolution, [B, 2, *size].

    The displacement is resized, not the positions: these would be cut off half a pixel from the edges.
    """
    displacement = resize((flow.float() - identity_flow(flow)), size)
    return displacement + identity_flow(displacement)


def sample(image: Tensor, flow: Tensor, padding: str = "border") -> Tensor:
    """Read ``image`` [B, C, H', W'] at ``flow`` [B, 2, H, W] -> [B, C, H, W], bilinear.

    Positions are kept in float32 under autocast, for half a float16 is a quarter of a pixel at 1024.

    Args:
        padding: what lies outside the image: "border" repeats its edge, "zeros" suits masks.
    """
    with torch.autocast(image.device.type, enabled=False):
        grid = flow.float().permute(0, 2, 3, 1)
        sampled = F.grid_sample(image.float(), grid, padding_mode=padding, align_corners=False)
    return sampled.to(image.dtype)


def compose(displacement: Tensor, step: Tensor) -> Tensor:
    """Displacement that first moves by ``step`` and from there by ``displacement``; both [B, 2, H, W].

    flow'(p) = flow(p + step(p)), how PF-AFN (Ge et al., CVPR 2021) refines a flow: a step slides along the
    flow already found instead of adding to it, so folds and edges move as a whole.
    """
    return step + sample(displacement, identity_flow(step) + step)


def local_correlation(a: Tensor, b: Tensor, radius: int) -> Tensor:
    """Mean product of ``a`` at p and ``b`` at p + o, for all offsets o up to ``radius`` in x and y.

    Args:
        a, b: [B, C, H, W].

    Returns:
        [B, (2 radius + 1)^2, H, W], offsets row by row from the top left; outside ``b`` counts as 0.
    """
    height, width = a.shape[-2:]
    padded = F.pad(b, [radius] * 4)
    side = 2 * radius + 1
    # A loop over views: unfolding would copy b once per offset.
    maps = [
        (a * padded[:, :, dy : dy + height, dx : dx + width]).mean(dim=1) for dy in range(side) for dx in range(side)
    ]
    return torch.stack(maps, dim=1)


def check_channels(x: Tensor, channels: int, owner: str, name: str) -> None:
    """Raise ValueError unless ``x`` is [B, channels, H, W]."""
    if x.ndim != 4 or x.shape[1] != channels:
        raise ValueError(f"This {owner} takes {name} as [B, {channels}, H, W], got {list(x.shape)}.")


def rounded_up(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    height, width = size
    return -(-height // multiple) * multiple, -(-width // multiple) * multiple
