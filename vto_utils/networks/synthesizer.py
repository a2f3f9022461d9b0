"""TryOnSynthesizer: what the flow cannot bring - new skin, shadow, seams - and how to put it together.

A U-Net (Ronneberger et al., MICCAI 2015) looks at the person without the garment and at the warped garment,
and answers with three pictures: a render, a composition mask and a shading. The result is

    mask * shading * warped + (1 - mask) * render,

CP-VTON's composition (Wang et al., ECCV 2018) with a shading. So the garment keeps the shop photo's own
pixels, and because all three answers are smooth they can be enlarged and applied to photos of any size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .inputs import KEYPOINTS, LAYOUT
from .layers import Down, Fuse, Head, blocks, check_channels, check_widths, norm, resize, rounded_up

_KERNEL = 3  # side of the depthwise filters: on a CPU 5x5 ones are ten times as slow to learn


@dataclass(frozen=True)
class SynthesizerConfig:
    """Shape of a :class:`TryOnSynthesizer`. The defaults take two RGB photos in [0, 1]."""

    mask_channels: int = 0  # 1: a warped garment mask is given, and nothing is pasted outside it
    layout_classes: int = 0  # channels of the target layout, 0 for none
    pose_channels: int = 0  # keypoint heatmaps, 0 for none
    widths: tuple[int, int, int, int, int] = (16, 48, 96, 192, 320)  # channels at 1/1, 1/2, 1/4, 1/8, 1/16
    depths: tuple[int, int, int, int, int] = (0, 1, 2, 2, 3)  # blocks at each, encoder and decoder alike
    darkest: float = 0.0  # value of black in the images: 0 for [0, 1], -1 for [-1, 1]
    shading_limit: float = 0.5  # the garment's brightness is changed by at most this share

    def __post_init__(self):
        for name in ("widths", "depths"):  # JSON gives lists
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.mask_channels not in (0, 1):
            raise ValueError(f"mask_channels is 0 or 1, got {self.mask_channels}.")
        if min(self.layout_classes, self.pose_channels) < 0:
            raise ValueError("layout_classes and pose_channels must not be negative.")
        if not 2 <= len(self.widths) == len(self.depths):
            raise ValueError("widths and depths need one entry for each resolution, two or more.")
        check_widths(*self.widths)
        if min(self.depths) < 0:
            raise ValueError(f"depths must not be negative, got {self.depths}.")
        if self.darkest not in (0, -1):
            raise ValueError(f"darkest is 0 or -1, got {self.darkest}.")
        if not 0 <= self.shading_limit < 1:
            raise ValueError(f"shading_limit must be at least 0 and below 1, got {self.shading_limit}.")

    @classmethod
    def product(cls) -> SynthesizerConfig:
        """Inputs of the product, as ``inputs.synthesizer_inputs`` makes them: images in [-1, 1], mask, layout, pose."""
        return cls(mask_channels=1, layout_classes=len(LAYOUT), pose_channels=KEYPOINTS, darkest=-1.0)


class TryOnOutput(NamedTuple):
    """What :meth:`TryOnSynthesizer.synthesize` makes. B is the batch, H x W the size of the person input."""

    image: Tensor
    """[B, 3, H, W]: the composed try-on, in the range of the inputs."""
    render: Tensor
    """[B, 3, H, W]: everything but the garment, in the range of the inputs."""
    mask: Tensor
    """[B, 1, H, W] in [0, 1]: how much of the warped garment shows."""
    shading: Tensor
    """[B, 1, H, W]: factor of the garment's brightness, 1 = as in the shop photo."""


class TryOnSynthesizer(nn.Module):
    """Try-on synthesis: paints the person wearing the warped garment.

    Freshly made it keeps the person, lays the garment over it (within its mask, where one is given) and
    shades nothing. Any height and width will do; inside, inputs are padded to a power of two.

    Example:
        >>> image = TryOnSynthesizer()(person, warped)  # two [B, 3, H, W] in [0, 1] -> [B, 3, H, W] in [0, 1]
        >>> tom = TryOnSynthesizer(SynthesizerConfig.product())
        >>> made = tom.synthesize(**synthesizer_inputs(person, agnostic_mask, keypoints, found))  # TryOnOutput
        >>> big = compose(big_warped, *(resize(x, size) for x in made[1:]), darkest=-1)
    """

    def __init__(self, config: SynthesizerConfig | None = None):
        super().__init__()
        self.config = config = config or SynthesizerConfig()
        widths, depths = config.widths, config.depths
        channels = 6 + config.mask_channels + config.layout_classes + config.pose_channels
        self.stem = nn.Sequential(
            nn.Conv2d(channels, widths[0], 3, padding=1),
            norm(widths[0]),
            nn.ReLU(inplace=True),
            blocks(widths[0], depths[0], _KERNEL),
        )
        pairs = list(zip(widths[:-1], widths[1:], strict=True))
        self.down = nn.ModuleList(
            nn.Sequential(Down(a, b), blocks(b, d, _KERNEL)) for (a, b), d in zip(pairs, depths[1:], strict=True)
        )
        self.reduce = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairs)
        self.up = nn.ModuleList(Fuse(2 * a, a, d, _KERNEL) for (a, _), d in zip(pairs, depths[:-1], strict=True))
        self.last = nn.Sequential(nn.Conv2d(widths[0], widths[0], 3, padding=1), norm(widths[0]), nn.ReLU(inplace=True))
        # Start: repaint little (sigmoid(-2) = 0.12). Show the garment where its mask says so; without one,
        # show half of each.
        self.paint = Head(widths[0], 3, gain=16)
        self.repaint = Head(widths[0], 1, gain=16, start=-2.0)
        self.mask = Head(widths[0], 1, gain=16, start=2.0 if config.mask_channels else 0.0)
        self.shading = Head(widths[0], 1, gain=16)

    def forward(
        self,
        person: Tensor,
        warped: Tensor,
        mask: Tensor | None = None,
        layout: Tensor | None = None,
        pose: Tensor | None = None,
    ) -> Tensor:
        """The try-on image, [B, 3, H, W] in the range of the inputs. Arguments as in :meth:`synthesize`."""
        return self.synthesize(person, warped, mask, layout, pose).image

    def synthesize(
        self,
        person: Tensor,
        warped: Tensor,
        mask: Tensor | None = None,
        layout: Tensor | None = None,
        pose: Tensor | None = None,
    ) -> TryOnOutput:
        """The try-on image and the three pictures it is made of.

        Args:
            person: [B, 3, H, W] the person, with what the garment will replace greyed out, in
                [config.darkest, 1].
            warped: [B, 3, H, W] the warped garment, same range.
            mask: [B, 1, H, W] its warped mask in [0, 1], if the configuration has one.
            layout: [B, layout_classes, H, W] target layout, probabilities, if the configuration has one.
            pose: [B, pose_channels, H, W] keypoint heatmaps in [0, 1], if the configuration has them.

        Raises:
            ValueError: an input is missing or its channels are not those of the configuration.
        """
        config = self.config
        inputs = {"person": (person, 3), "warped": (warped, 3), "mask": (mask, config.mask_channels)}
        inputs |= {"layout": (layout, config.layout_classes), "pose": (pose, config.pose_channels)}
        stack = []
        for name, (x, channels) in inputs.items():
            if x is None and channels == 0:
                continue
            if x is None or channels == 0:
                state = "missing" if x is None else "given"
                raise ValueError(f"{name} is {state}: this TryOnSynthesizer takes {channels} channels of it.")
            check_channels(x, channels, "TryOnSynthesizer", name)
            stack.append(x)

        height, width = person.shape[-2:]
        working = rounded_up((height, width), 2 ** len(self.down))
        x = torch.cat(stack, dim=1)  # (B, channels, H, W)
        x = F.pad(x, (0, working[1] - width, 0, working[0] - height), mode="replicate")  # (B, channels, h, w)

        x = self.stem(x)  # (B, widths[0], h, w)
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(x)  # (B, widths[i], h / 2^i, w / 2^i)
        for up, reduce, skip in zip(reversed(self.up), reversed(self.reduce), reversed(skips), strict=True):
            x = resize(reduce(x), skip.shape[-2:])  # narrowed before it is enlarged: four times cheaper
            x = up(torch.cat([x, skip], dim=1))  # (B, widths[i], h / 2^i, w / 2^i)
        x = self.last(x)[:, :, :height, :width]  # (B, widths[0], H, W)

        # Blending towards a painted colour keeps the render in range and the person's pixels exact where
        # nothing is repainted; a clamp would stop the gradient.
        repaint = self.repaint(x).sigmoid()  # (B, 1, H, W)
        paint = self.paint(x).sigmoid() * (1 - config.darkest) + config.darkest  # (B, 3, H, W)
        render = person + repaint * (paint - person)  # (B, 3, H, W)
        shown = self.mask(x).sigmoid()  # (B, 1, H, W)
        if mask is not None:
            shown = shown * mask
        shading = 1 + config.shading_limit * self.shading(x).tanh()  # (B, 1, H, W)
        return TryOnOutput(compose(warped, render, shown, shading, config.darkest), render, shown, shading)


def compose(warped: Tensor, render: Tensor, mask: Tensor, shading: Tensor, darkest: float = 0.0) -> Tensor:
    """Lay the shaded garment over the render: mask * shading * warped + (1 - mask) * render.

    Args:
        warped: [B, 3, H, W] the warped garment in [darkest, 1].
        render: [B, 3, H, W] everything else, same range.
        mask: [B, 1, H, W] in [0, 1].
        shading: [B, 1, H, W] factor of the brightness above black.
        darkest: value of black, 0 or -1.

    Returns:
        [B, 3, H, W] in [darkest, 1].
    """
    shaded = ((warped - darkest) * shading + darkest).clamp(max=1)
    return render + mask * (shaded - render)
