"""The parts of the GMM.

Displacements in here are measured in the garment's close-up, see :mod:`vto_utils.networks.closeup`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..tps import control_grid, pixel_centres, tps_parameters, tps_transform
from .layers import Down, Fuse, Head, blocks, compose, identity_flow, local_correlation, resize, sample

_KERNEL = 3  # of the depthwise convolutions
_CELLS = (8, 6)  # rows and columns to which a picture is boiled down to be measured as a whole


class Encoder(nn.Module):
    """Feature pyramid: own features at 1/2 and 1/16, and at 1/4, 1/8 and 1/16 what the deeper levels know."""

    def __init__(self, channels: int, widths: tuple[int, ...], depths: tuple[int, ...], features: int):
        super().__init__()
        inputs = (channels, *widths[:-1])
        self.levels = nn.ModuleList(
            nn.Sequential(Down(i, o), blocks(o, d, _KERNEL)) for i, o, d in zip(inputs, widths, depths, strict=True)
        )
        self.lateral_4 = nn.Conv2d(widths[1], features, 1)
        self.lateral_8 = nn.Conv2d(widths[2], features, 1)
        self.top = nn.Conv2d(widths[3], features, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        maps = []
        for level in self.levels:
            x = level(x)
            maps.append(x)
        x2, x4, x8, x16 = maps
        y16 = self.top(x16)  # (B, features, H/16, W/16)
        y8 = self.lateral_8(x8) + resize(y16, x8.shape[-2:])  # (B, features, H/8, W/8)
        y4 = self.lateral_4(x4) + resize(y8, x4.shape[-2:])  # (B, features, H/4, W/4)
        return x2, y4, y8, y16, x16


class Overview(nn.Module):
    """Measures both pictures as a whole: how wide a waist is in one and the hips in the other, how long, what kind.

    Convolutions see neighbourhoods and forget where they are; a place in the garment depends on lengths across both
    pictures. So both are boiled down to a few cells, and all of these feed one vector.
    """

    def __init__(self, channels_in: int, reduced: int = 32, channels: int = 512):
        super().__init__()
        self.channels = channels
        self.person = nn.Conv2d(channels_in, reduced, 1)
        self.garment = nn.Conv2d(channels_in, reduced, 1)
        self.mix = nn.Sequential(
            nn.Linear(2 * reduced * _CELLS[0] * _CELLS[1], channels),
            nn.LayerNorm(channels),
            nn.ReLU(inplace=True),
            nn.Linear(channels, channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, person: Tensor, garment: Tensor) -> Tensor:
        """Two [B, C, h, w] -> [B, channels]."""
        maps = torch.cat([self.person(person), self.garment(garment)], dim=1)
        return self.mix(F.adaptive_avg_pool2d(maps, _CELLS).flatten(1))


class Match(nn.Module):
    """Global correlation at 1/16: each place of the person finds its place in the garment.

    The correlation of all pairs, as in CP-VTON, would have as many channels as the image has cells. Read as
    an attention it gives, at any size, the garment features found and where they were found.
    """

    def __init__(self, channels: int, known: int, depth: int, keys: int = 64):
        super().__init__()
        self.query = nn.Conv2d(channels + 2, keys, 1)
        self.key = nn.Conv2d(channels + 2, keys, 1, bias=False)  # the softmax would not feel a bias
        self.fuse = Fuse(3 * channels + 5, channels, depth=1, size=_KERNEL)
        self.scale = nn.Linear(known, channels)
        self.shift = nn.Linear(known, channels)
        self.trunk = blocks(channels, depth, _KERNEL)

    def forward(self, person: Tensor, garment: Tensor, whole: Tensor) -> Tensor:
        batch, channels, height, width = person.shape
        places = identity_flow(person).to(person.dtype).expand(batch, -1, -1, -1)  # (B, 2, h, w)
        query = self.query(torch.cat([person, places], dim=1)).flatten(2)  # (B, K, hw)
        key = self.key(torch.cat([garment, places], dim=1)).flatten(2)  # (B, K, hw)
        scores = query.transpose(1, 2) @ key / math.sqrt(key.shape[1])  # (B, hw, hw)
        attention = scores.float().softmax(dim=-1).to(person.dtype)  # (B, hw person, hw garment)
        values = torch.cat([garment, places], dim=1).flatten(2)  # (B, C + 2, hw)
        found = (values @ attention.transpose(1, 2)).view(batch, channels + 2, height, width)
        features, position = found.split([channels, 2], dim=1)
        sure = attention.amax(dim=-1).view(batch, 1, height, width)
        state = self.fuse(torch.cat([person, garment, features, position - places, places, sure], dim=1))
        return self.trunk(state * (1 + self.scale(whole)[..., None, None]) + self.shift(whole)[..., None, None])


class SplineHead(nn.Module):
    """Offsets of a regular grid of control points, and the thin-plate spline through them."""

    controls: Tensor

    def __init__(self, channels: int, known: int, control_points: tuple[int, int], limit: float):
        super().__init__()
        self.control_points, self.limit = control_points, limit
        self.context = nn.Conv2d(channels, channels, 1)
        self.hidden = nn.Conv2d(channels, channels, 1)
        self.offsets = Head(channels, 2, gain=0.25)
        self.overall = Head(known, 2 * control_points[0] * control_points[1], gain=0.25)
        # The control points of the result never move, so the system is solved once, for unit targets; the
        # spline through any targets is a product with these.
        controls = control_grid(*control_points, dtype=torch.float64)  # (1, N, 2)
        weights, affine = tps_parameters(controls, torch.eye(controls.shape[1], dtype=torch.float64)[None])
        self.register_buffer("controls", controls.float(), persistent=False)
        self.register_buffer("weights", weights.float(), persistent=False)  # (1, N, N)
        self.register_buffer("affine", affine.float(), persistent=False)  # (1, 3, N)

    def forward(self, state: Tensor, whole: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        state = state + self.context(state.mean(dim=(2, 3), keepdim=True))  # (B, C, h, w)
        # align_corners=True reads the features where the control points are, the corners included.
        local = F.interpolate(state, size=self.control_points, mode="bilinear", align_corners=True)
        raw = self.offsets(F.relu(self.hidden(local)))  # (B, 2, rows, columns)
        raw = raw + self.overall(whole[..., None, None]).view_as(raw)
        with torch.autocast(raw.device.type, enabled=False):
            offsets = raw.float().flatten(2).transpose(1, 2).tanh() * self.limit  # (B, N, 2)
            pixels = pixel_centres(tuple(like.shape[-2:]), device=raw.device).reshape(1, -1, 2)
            weights, affine = self.weights.float() @ offsets, self.affine.float() @ offsets
            moved = tps_transform(pixels, self.controls.float(), weights, affine)  # (B, hw, 2)
        return offsets, moved.transpose(1, 2).reshape(-1, 2, *like.shape[-2:])


class FlowStep(nn.Module):
    """One refinement: warp the garment's features by what is known, compare, step along the flow."""

    def __init__(self, channels_in: int, features: int, radius: int, compared: int = 32):
        super().__init__()
        self.radius = radius
        self.compare_person = nn.Conv2d(features, compared, 1)
        self.compare_garment = nn.Conv2d(features, compared, 1)
        correlated = (2 * radius + 1) ** 2
        self.fuse = Fuse(channels_in + 2 * features + correlated + 4, features, depth=2, size=_KERNEL)
        self.step = Head(features, 2, gain=0.5, size=3)

    def forward(self, state: Tensor, person: Tensor, garment: Tensor, displacement: Tensor):
        size = person.shape[-2:]
        places = identity_flow(displacement)  # (1, 2, h, w)
        warped = sample(garment, displacement + places)  # (B, F, h, w)
        correlation = local_correlation(
            self.compare_person(person), self.compare_garment(warped), self.radius
        )  # (B, (2r + 1)^2, h, w)
        places = torch.cat([places.expand_as(displacement), displacement], dim=1).to(person.dtype)  # (B, 4, h, w)
        known = [resize(state, size), person, warped, correlation, places]
        state = self.fuse(torch.cat(known, dim=1))  # (B, F, h, w)
        # The convolution speaks in cells, which are 2 / w wide and 2 / h high.
        cell = torch.tensor([2 / size[1], 2 / size[0]], device=state.device).view(1, 2, 1, 1)
        with torch.autocast(state.device.type, enabled=False):
            step = self.step(state.to(self.step.weight.dtype)).float() * cell  # (B, 2, h, w)
            return state, compose(displacement, step)


class LayoutHead(nn.Module):
    """Logits of the target layout at 1/2, from the flow's features, the person's edges and the garment."""

    def __init__(self, features: int, edges: int, garment_channels: int, classes: int):
        super().__init__()
        self.reduce = nn.Conv2d(features, edges, 1)
        self.fuse = Fuse(2 * edges + garment_channels, edges, depth=1, size=_KERNEL)
        self.logits = Head(edges, classes, gain=8)

    def forward(self, state: Tensor, person: Tensor, warped: Tensor) -> Tensor:
        state = resize(self.reduce(state), person.shape[-2:])  # (B, E, H/2, W/2)
        return self.logits(self.fuse(torch.cat([state, person, warped.to(state.dtype)], dim=1)))
