"""Enlarging what matters until it fills its picture, and telling places in the photo from places in the close-up."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .layers import identity_flow, sample

_ROOM = 0.04  # around the garment, as a share of the close-up


class CloseUp(NamedTuple):
    """A window of a picture, of the same proportions; B windows in B pictures.

    Positions are normalised (x, y), ``align_corners=False``.
    """

    centre: Tensor
    """[B, 2] float32."""
    scale: Tensor
    """[B, 1] float32: its size as a share of the picture's."""

    @classmethod
    def around(cls, mask: Tensor, below: Tensor | None = None) -> CloseUp:
        """The window that a mask fills.

        Args:
            mask: [B, 1, H, W] in [0, 1]; where it is empty, the window is the whole picture.
            below: [B] how much longer than the mask what is looked at may be, as a share of the mask's height.
        """
        shown = mask[:, 0] > 0.5
        left, right = _extent(shown.any(dim=1))
        top, bottom = _extent(shown.any(dim=2))
        if below is not None:  # as far as there is a picture
            bottom = torch.minimum(bottom + below * (bottom - top), bottom.clamp(min=1))
        empty = ~shown.flatten(1).any(dim=1)
        scale = torch.maximum(right - left, bottom - top) / (2 * (1 - 2 * _ROOM))
        scale = torch.where(empty, 1.0, scale)[:, None]
        centre = torch.stack([left + right, top + bottom], dim=1) / 2
        return cls(torch.where(empty[:, None], 0.0, centre), scale)

    @classmethod
    def whole(cls, like: Tensor) -> CloseUp:
        """The whole of each picture of a batch."""
        return cls(
            torch.zeros(len(like), 2, device=like.device),
            torch.ones(len(like), 1, device=like.device),
        )

    def outward(self, places: Tensor) -> Tensor:
        """Places in the window, [B, 2, H, W] or [B, N, 2], as places in the picture."""
        if places.ndim == 3:
            return self.centre[:, None] + self.scale[:, None] * places
        return self.centre[:, :, None, None] + self.scale[:, :, None, None] * places

    def inward(self, size: tuple[int, int]) -> Tensor:
        """[B, 2, *size]: where in the window the pixels of the picture lie; most of them, beyond its edges."""
        places = identity_flow(self.centre.new_empty(size))
        return (places - self.centre[:, :, None, None]) / self.scale[:, :, None, None]

    def view(self, picture: Tensor, size: tuple[int, int], padding: str = "border") -> Tensor:
        """What the window shows of pictures [B, C, H, W], at ``size``."""
        return sample(picture, self.outward(identity_flow(picture.new_empty(size))), padding)


def sample_garment(garment: Tensor, flow: Tensor) -> Tensor:
    """Read a garment image [B, 3 or 4, H', W'], RGB and perhaps a mask, at a flow [B, 2, H, W].

    Outside the image the colours repeat its edge, so no dark seam is mixed in, and the mask is 0.
    """
    warped = sample(garment[:, :3], flow)
    if garment.shape[1] == 3:
        return warped
    return torch.cat([warped, sample(garment[:, 3:], flow, padding="zeros")], dim=1)


def _extent(line: Tensor) -> tuple[Tensor, Tensor]:
    """Beginning and end, normalised, of what a bool [B, N] spans."""
    count = line.shape[1]
    number = torch.arange(count, device=line.device)
    first = torch.where(line, number, count).amin(dim=1)
    last = torch.where(line, number + 1, 0).amax(dim=1)
    return first.float() * 2 / count - 1, last.float() * 2 / count - 1
