"""GMM: where every pixel of the worn garment comes from in the shop photo, and what covers what.

Coarse to fine, in the abstract: the layout of the person and the shape of the garment decide, the warped
pixels are the shop photo's own.

    person  ── encoder ──┐ 1/16: every place of the person looks at every place of the garment
                         ├─ 1/16: 5x5 thin-plate spline      (the whole garment: place, size, turn)
    garment ── encoder ──┘  1/8 and 1/4: two steps along it  (sleeves, folds, hem)
                            1/2: target layout               (garment, arms, skin, lower body)

The spline follows CP-VTON (Wang et al., ECCV 2018), the refinement PF-AFN (Ge et al., CVPR 2021), and the
layout that shares its features with the flow HR-VITON (Lee et al., ECCV 2022).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..tps import control_grid, pixel_centres, tps_parameters, tps_transform
from .inputs import GARMENT_CHANNELS, LAYOUT, PERSON_CHANNELS
from .layers import (
    Down,
    Fuse,
    Head,
    blocks,
    check_channels,
    check_widths,
    compose,
    identity_flow,
    local_correlation,
    resize,
    rounded_up,
    sample,
)

_STRIDE = 16  # of the coarsest features: the working size is a multiple of it


@dataclass(frozen=True)
class GMMConfig:
    """Shape of a :class:`GMM`. The defaults take two RGB photos; :meth:`product` takes prepared inputs."""

    person_channels: int = 3  # RGB, or what inputs.person_layout makes
    garment_channels: int = 3  # RGB, or RGB and mask
    layout_classes: int = len(LAYOUT)  # channels of the layout logits
    widths: tuple[int, int, int, int] = (32, 64, 128, 256)  # encoder channels at 1/2, 1/4, 1/8, 1/16
    depths: tuple[int, int, int, int] = (0, 1, 3, 4)  # encoder blocks at 1/2, 1/4, 1/8, 1/16
    features: int = 96  # channels of the matched pyramids and of the decoder at 1/8 and 1/4
    radii: tuple[int, int] = (3, 2)  # reach of the local correlation at 1/8 and 1/4, in cells
    control_points: tuple[int, int] = (5, 5)  # rows and columns of the spline's control points
    offset_limit: float = 1.0  # farthest a control point may move, 1 = half the image

    def __post_init__(self):
        for name in ("widths", "depths", "radii", "control_points"):  # JSON gives lists
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("person_channels", "layout_classes", "features"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}.")
        if self.garment_channels not in (3, 4):
            raise ValueError(f"garment_channels is 3 (RGB) or 4 (with mask), got {self.garment_channels}.")
        if len(self.widths) != 4 or len(self.depths) != 4 or len(self.radii) != 2:
            raise ValueError("widths and depths have four entries, 1/2 to 1/16; radii two, 1/8 and 1/4.")
        check_widths(*self.widths, self.features)
        if min(*self.depths, *self.radii) < 0:
            raise ValueError(f"depths and radii must not be negative, got {self.depths} and {self.radii}.")
        if len(self.control_points) != 2 or min(self.control_points) < 2:
            raise ValueError(f"control_points is (rows, columns), 2 or more, got {self.control_points}.")
        if not 0 < self.offset_limit <= 2:
            raise ValueError(f"offset_limit must be above 0 and at most 2, got {self.offset_limit}.")

    @classmethod
    def product(cls) -> GMMConfig:
        """Inputs of the product: ``inputs.person_layout`` (35 channels) and ``inputs.garment_input`` (4)."""
        return cls(person_channels=PERSON_CHANNELS, garment_channels=GARMENT_CHANNELS)


class GMMOutput(NamedTuple):
    """What :meth:`GMM.warp` finds. B is the batch, H x W the size of the person input."""

    flow: Tensor
    """[B, 2, H, W] float32: position in the garment image, normalised (x, y), align_corners=False."""
    coarse_flow: Tensor
    """[B, 2, H, W] float32: the spline alone."""
    warped: Tensor
    """[B, garment_channels, H, W]: the garment read at ``flow``, in the garment's own range. Beyond the
    garment image its colours repeat the edge and its mask is 0."""
    layout: Tensor
    """[B, layout_classes, H, W]: logits of the layout the person will have, see inputs.LAYOUT."""
    theta: Tensor
    """[B, rows * columns, 2] float32: where each control point reads in the garment image, (x, y)."""
    flows: tuple[Tensor, ...]
    """The flow at 1/8 and 1/4, [B, 2, h, w] each, the first before and then after each step: for losses
    that guide every level."""


class GMM(nn.Module):
    """Geometric matching: warps a garment photo onto a person.

    Freshly made it is the identity: the garment comes out as it went in. Any height and width will do;
    inside, inputs are resized to the next multiples of 16, which a normalised flow does not notice. Meant
    for some 256x192 pixels: the memory of the global correlation grows with the square of the area, and the
    flow of a small image serves a large one (``resize_flow``).

    Example:
        >>> warped = GMM()(person, cloth)  # two [B, 3, 256, 192] photos -> [B, 3, 256, 192]
        >>> gmm = GMM(GMMConfig.product())
        >>> found = gmm.warp(person_layout(...), garment_input(...))  # [B, 35, H, W], [B, 4, H, W] -> GMMOutput
    """

    def __init__(self, config: GMMConfig | None = None):
        super().__init__()
        self.config = config = config or GMMConfig()
        width, deep = config.features, config.widths[-1]
        self.person_encoder = Encoder(config.person_channels, config.widths, config.depths, width)
        self.garment_encoder = Encoder(config.garment_channels, config.widths, config.depths, width)
        self.match = Match(deep)
        self.spline = SplineHead(deep, config.control_points, config.offset_limit)
        self.step_8 = FlowStep(deep, width, config.radii[0])
        self.step_4 = FlowStep(width, width, config.radii[1])
        self.layout = LayoutHead(width, config.widths[0], config.garment_channels, config.layout_classes)

    def forward(self, person: Tensor, garment: Tensor) -> Tensor:
        """Warp the garment onto the person.

        Args:
            person: [B, person_channels, H, W] float, any fixed range.
            garment: [B, garment_channels, H', W'] float, any fixed range; the mask, if any, in [0, 1].

        Returns:
            [B, garment_channels, H, W] in the range of ``garment``.
        """
        return self.warp(person, garment).warped

    def warp(self, person: Tensor, garment: Tensor) -> GMMOutput:
        """Warp the garment onto the person and tell everything found on the way. Arguments as in forward.

        Raises:
            ValueError: the channels are not those of the configuration.
        """
        config = self.config
        check_channels(person, config.person_channels, "GMM", "person")
        check_channels(garment, config.garment_channels, "GMM", "garment")
        size = tuple(person.shape[-2:])
        working = rounded_up(size, _STRIDE)
        small_garment = resize(garment, working)

        p2, p4, p8, p16 = self.person_encoder(resize(person, working))  # (B, C, h / stride, w / stride)
        _, g4, g8, g16 = self.garment_encoder(small_garment)

        state = self.match(p16, g16)  # (B, deep, h/16, w/16)
        offsets, coarse = self.spline(state, like=p8)  # (B, N, 2), (B, 2, h/8, w/8)
        state, at_8 = self.step_8(state, p8, g8, coarse)  # (B, C, h/8, w/8), (B, 2, h/8, w/8)
        at_4 = resize(at_8, p4.shape[-2:])  # (B, 2, h/4, w/4)
        state, at_4 = self.step_4(state, p4, g4, at_4)  # (B, C, h/4, w/4), (B, 2, h/4, w/4)

        found = resize(at_4, p2.shape[-2:]) + identity_flow(p2)  # (B, 2, h/2, w/2)
        layout = self.layout(state, p2, sample_garment(small_garment, found))  # (B, classes, h/2, w/2)

        identity = identity_flow(person)
        flow = resize(at_4, size) + identity  # (B, 2, H, W)
        return GMMOutput(
            flow=flow,
            coarse_flow=resize(coarse, size) + identity,
            warped=sample_garment(garment, flow),
            layout=resize(layout, size),
            theta=offsets + self.spline.controls.float(),
            flows=tuple(d + identity_flow(d) for d in (coarse, at_8, at_4)),
        )


def sample_garment(garment: Tensor, flow: Tensor) -> Tensor:
    """Read a garment image [B, 3 or 4, H', W'], RGB and perhaps a mask, at a flow [B, 2, H, W].

    Outside the image the colours repeat its edge, so no dark seam is mixed in, and the mask is 0.
    """
    warped = sample(garment[:, :3], flow)
    if garment.shape[1] == 3:
        return warped
    return torch.cat([warped, sample(garment[:, 3:], flow, padding="zeros")], dim=1)


class Encoder(nn.Module):
    """Feature pyramid: own features at 1/2 and 1/16, and at 1/4 and 1/8 also what the deeper levels know."""

    def __init__(self, channels: int, widths: tuple[int, ...], depths: tuple[int, ...], features: int):
        super().__init__()
        inputs = (channels, *widths[:-1])
        self.levels = nn.ModuleList(
            nn.Sequential(Down(i, o), blocks(o, d)) for i, o, d in zip(inputs, widths, depths, strict=True)
        )
        self.lateral_4 = nn.Conv2d(widths[1], features, 1)
        self.lateral_8 = nn.Conv2d(widths[2], features, 1)
        self.top = nn.Conv2d(widths[3], features, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        maps = []
        for level in self.levels:
            x = level(x)
            maps.append(x)
        x2, x4, x8, x16 = maps
        y8 = self.lateral_8(x8) + resize(self.top(x16), x8.shape[-2:])  # (B, features, H/8, W/8)
        y4 = self.lateral_4(x4) + resize(y8, x4.shape[-2:])  # (B, features, H/4, W/4)
        return x2, y4, y8, x16


class Match(nn.Module):
    """Global correlation at 1/16: each place of the person finds its place in the garment.

    The correlation of all pairs, as in CP-VTON, would have as many channels as the image has cells. Read as
    an attention it gives, at any size, the garment features found and where they were found.
    """

    def __init__(self, channels: int, keys: int = 64):
        super().__init__()
        self.query = nn.Conv2d(channels + 2, keys, 1)
        self.key = nn.Conv2d(channels + 2, keys, 1, bias=False)  # the softmax would not feel a bias
        self.fuse = Fuse(3 * channels + 5, channels, depth=2)

    def forward(self, person: Tensor, garment: Tensor) -> Tensor:
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
        return self.fuse(torch.cat([person, garment, features, position - places, places, sure], dim=1))


class SplineHead(nn.Module):
    """Offsets of a regular grid of control points, and the thin-plate spline through them."""

    controls: Tensor

    def __init__(self, channels: int, control_points: tuple[int, int], limit: float):
        super().__init__()
        self.control_points, self.limit = control_points, limit
        self.context = nn.Conv2d(channels, channels, 1)
        self.hidden = nn.Conv2d(channels, channels, 1)
        self.offsets = Head(channels, 2, gain=0.25)
        # The control points of the result never move, so the system is solved once, for unit targets; the
        # spline through any targets is a product with these.
        controls = control_grid(*control_points, dtype=torch.float64)  # (1, N, 2)
        weights, affine = tps_parameters(controls, torch.eye(controls.shape[1], dtype=torch.float64)[None])
        self.register_buffer("controls", controls.float(), persistent=False)
        self.register_buffer("weights", weights.float(), persistent=False)  # (1, N, N)
        self.register_buffer("affine", affine.float(), persistent=False)  # (1, 3, N)

    def forward(self, state: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        state = state + self.context(state.mean(dim=(2, 3), keepdim=True))  # (B, C, h, w)
        # align_corners=True reads the features where the control points are, the corners included.
        local = F.interpolate(state, size=self.control_points, mode="bilinear", align_corners=True)
        raw = self.offsets(F.relu(self.hidden(local)))  # (B, 2, rows, columns)
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
        self.fuse = Fuse(channels_in + 2 * features + correlated + 2, features, depth=2)
        self.step = Head(features, 2, gain=0.5, size=3)

    def forward(self, state: Tensor, person: Tensor, garment: Tensor, displacement: Tensor):
        size = person.shape[-2:]
        warped = sample(garment, displacement + identity_flow(displacement))  # (B, F, h, w)
        correlation = local_correlation(
            self.compare_person(person), self.compare_garment(warped), self.radius
        )  # (B, (2r + 1)^2, h, w)
        known = [resize(state, size), person, warped, correlation, displacement.to(person.dtype)]
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
        self.fuse = Fuse(2 * edges + garment_channels, edges, depth=1)
        self.logits = Head(edges, classes, gain=8)

    def forward(self, state: Tensor, person: Tensor, warped: Tensor) -> Tensor:
        state = resize(self.reduce(state), person.shape[-2:])  # (B, E, H/2, W/2)
        return self.logits(self.fuse(torch.cat([state, person, warped.to(state.dtype)], dim=1)))
