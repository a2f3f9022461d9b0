"""GMM: where every pixel of the worn garment comes from in the shop photo, and what covers what.

Coarse to fine, in the abstract: the layout of the person and the shape of the garment decide, the warped
pixels are the shop photo's own.

    person  ── encoder ──┐ 1/16: every place of the person looks at every place of the garment,
                         │       and both are measured as a whole
                         ├─ 1/16: 5x5 thin-plate spline      (the whole garment: place, size, turn)
    garment ── encoder ──┘  1/16, 1/8, 1/4: steps along it   (sleeves, folds, hem)
      (enlarged to fill      1/2: target layout              (garment, arms, skin, lower body)
       its picture)

The spline follows CP-VTON (Wang et al., ECCV 2018), the refinement PF-AFN (Ge et al., CVPR 2021), and the
layout that shares its features with the flow HR-VITON (Lee et al., ECCV 2022). Scales and shifts by what is known
of the whole are FiLM (Perez et al., AAAI 2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn

from .closeup import CloseUp, sample_garment
from .inputs import GARMENT_CHANNELS, LAYOUT, PERSON_CHANNELS, person_closeup
from .layers import check_channels, check_widths, identity_flow, resize, rounded_up, sample
from .warping import Encoder, FlowStep, LayoutHead, Match, Overview, SplineHead

_STRIDE = 16  # of the coarsest features: the working size is a multiple of it


@dataclass(frozen=True)
class GMMConfig:
    """Shape of a :class:`GMM`. The defaults take two RGB photos; :meth:`product` takes prepared inputs."""

    person_channels: int = 3  # RGB, or what inputs.person_layout makes
    garment_channels: int = 3  # RGB, or RGB and mask
    layout_classes: int = len(LAYOUT)  # channels of the layout logits
    widths: tuple[int, int, int, int] = (32, 64, 128, 256)  # encoder channels at 1/2, 1/4, 1/8, 1/16
    depths: tuple[int, int, int, int] = (0, 1, 3, 4)  # encoder blocks at 1/2, 1/4, 1/8, 1/16
    trunk: int = 4  # blocks at 1/16 where both pictures have met
    features: int = 96  # channels of the matched pyramids and of the decoder at 1/16, 1/8 and 1/4
    radii: tuple[int, int, int] = (2, 3, 2)  # reach of the local correlation at 1/16, 1/8 and 1/4, in cells
    control_points: tuple[int, int] = (5, 5)  # rows and columns of the spline's control points
    closeups: bool = False  # look closer at the garment and at what may change of the person; needs prepared inputs
    offset_limit: float = 1.0  # farthest a control point may move, 1 = half the image

    def __post_init__(self):
        for name in ("widths", "depths", "radii", "control_points"):  # JSON gives lists
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("person_channels", "layout_classes", "features"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}.")
        if self.garment_channels not in (3, 4):
            raise ValueError(f"garment_channels is 3 (RGB) or 4 (with mask), got {self.garment_channels}.")
        if len(self.widths) != 4 or len(self.depths) != 4 or len(self.radii) != 3:
            raise ValueError("widths and depths have four entries, 1/2 to 1/16; radii three, 1/16 to 1/4.")
        check_widths(*self.widths, self.features)
        if min(*self.depths, *self.radii, self.trunk) < 0:
            raise ValueError(
                f"depths, trunk and radii must not be negative, got {self.depths}, {self.trunk} and {self.radii}."
            )
        if len(self.control_points) != 2 or min(self.control_points) < 2:
            raise ValueError(f"control_points is (rows, columns), 2 or more, got {self.control_points}.")
        if self.closeups and (self.person_channels, self.garment_channels) != (PERSON_CHANNELS, GARMENT_CHANNELS):
            raise ValueError(f"With closeups, channels must be {PERSON_CHANNELS} and {GARMENT_CHANNELS}.")
        if not 0 < self.offset_limit <= 2:
            raise ValueError(f"offset_limit must be above 0 and at most 2, got {self.offset_limit}.")

    @classmethod
    def product(cls) -> GMMConfig:
        """Inputs of the product: ``inputs.person_layout`` (45 channels) and ``inputs.garment_input`` (4)."""
        return cls(person_channels=PERSON_CHANNELS, garment_channels=GARMENT_CHANNELS, closeups=True)


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
    """The spline, then the flow after each step at 1/16, 1/8 and 1/4, [B, 2, H, W] each: for losses that guide
    every level."""
    displacements: tuple[Tensor, ...]
    """The same between the two close-ups, as they were found: [B, 2, h, w], h and w an 8th of the working size,
    then a 16th, an 8th and a quarter of it."""


class GMM(nn.Module):
    """Geometric matching: warps a garment photo onto a person.

    Freshly made it is the identity: the garment comes out as it went in, or, where it has a mask, enlarged to fill
    the picture: that is how the network always looks at it, so that where and how large it lies in its photo needs
    no learning. Any height and width will do;
    inside, inputs are resized to the next multiples of 16, which a normalised flow does not notice. Meant
    for some 256x192 pixels: the memory of the global correlation grows with the square of the area, and the
    flow of a small image serves a large one (``resize_flow``).

    Example:
        >>> warped = GMM()(person, cloth)  # two [B, 3, 256, 192] photos -> [B, 3, 256, 192]
        >>> gmm = GMM(GMMConfig.product())
        >>> found = gmm.warp(person_layout(...), garment_input(...))  # [B, 45, H, W], [B, 4, H, W] -> GMMOutput
    """

    def __init__(self, config: GMMConfig | None = None):
        super().__init__()
        self.config = config = config or GMMConfig()
        width, deep = config.features, config.widths[-1]
        self.person_encoder = Encoder(config.person_channels, config.widths, config.depths, width)
        self.garment_encoder = Encoder(config.garment_channels, config.widths, config.depths, width)
        self.whole = Overview(deep)
        self.match = Match(deep, self.whole.channels, config.trunk)
        self.spline = SplineHead(deep, self.whole.channels, config.control_points, config.offset_limit)
        self.step_16 = FlowStep(deep, width, config.radii[0])
        self.step_8 = FlowStep(width, width, config.radii[1])
        self.step_4 = FlowStep(width, width, config.radii[2])
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
        looks = (person_closeup(person), CloseUp.around(garment[:, 3:])) if config.closeups else (None, None)
        window, garment_window = (look or CloseUp.whole(x) for look, x in zip(looks, (person, garment), strict=True))
        closeup = sample_garment(garment, garment_window.outward(identity_flow(garment.new_empty(working))))

        p2, p4, p8, top, p16 = self.person_encoder(window.view(person, working))  # (B, C, h / stride, w / stride)
        _, g4, g8, garment_top, g16 = self.garment_encoder(closeup)

        whole = self.whole(p16, g16)  # (B, Z)
        state = self.match(p16, g16, whole)  # (B, deep, h/16, w/16)
        offsets, coarse = self.spline(state, whole, like=p8)  # (B, N, 2), (B, 2, h/8, w/8)
        at_16 = resize(coarse, p16.shape[-2:])  # (B, 2, h/16, w/16)
        state, at_16 = self.step_16(state, top, garment_top, at_16)  # (B, C, h/16, w/16), (B, 2, h/16, w/16)
        at_8 = resize(at_16, p8.shape[-2:])  # (B, 2, h/8, w/8)
        state, at_8 = self.step_8(state, p8, g8, at_8)  # (B, C, h/8, w/8), (B, 2, h/8, w/8)
        at_4 = resize(at_8, p4.shape[-2:])  # (B, 2, h/4, w/4)
        state, at_4 = self.step_4(state, p4, g4, at_4)  # (B, C, h/4, w/4), (B, 2, h/4, w/4)

        found = resize(at_4, p2.shape[-2:]) + identity_flow(p2)  # (B, 2, h/2, w/2)
        layout = self.layout(state, p2, sample_garment(closeup, found))  # (B, classes, h/2, w/2)

        # From the close-ups back to the photos. A displacement goes on evenly beyond its edges, a place would stop.
        inward = window.inward(size)  # (B, 2, H, W)
        displacements = (coarse, at_16, at_8, at_4)
        flows = tuple(garment_window.outward(sample(d, inward) + inward) for d in displacements)
        controls = self.spline.controls.float()
        return GMMOutput(
            flow=flows[-1],
            coarse_flow=flows[0],
            warped=sample_garment(garment, flows[-1]),
            layout=sample(layout, inward),
            theta=garment_window.outward(offsets + controls),
            flows=flows,
            displacements=displacements,
        )
