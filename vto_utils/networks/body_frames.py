"""Places along a person's own torso and limbs: where every pixel lies as a tailor would say it.

A garment's flow is close to a straight function of these places, while in the picture it turns and bends with every
pose; and heatmaps alone leave it to the network to measure distances across half the picture.
"""

from __future__ import annotations

import torch
from torch import Tensor

_RIGHT_SHOULDER, _LEFT_SHOULDER, _RIGHT_HIP, _LEFT_HIP = 2, 5, 8, 11  # COCO-18
_LIMBS = {"right-arm": (2, 3, 4), "left-arm": (5, 6, 7), "right-leg": (8, 9, 10), "left-leg": (11, 12, 13)}

BODY_FRAMES = ("torso-aside", "torso-down", *(f"{limb}-{way}" for limb in _LIMBS for way in ("along", "aside")))
"""Channels of :func:`body_frames`."""

_CONFIDENT = 0.1  # key points below count as unknown
_TORSO = 1.5  # height of a torso in breadths of shoulders, where the hips are not seen
_REACH = 2.0  # the torso's places are cut off this many torsos away


def body_frames(keypoints: Tensor, size: tuple[int, int]) -> Tensor:
    """Every pixel's place in the frame of the torso and of each limb.

    Of the torso: the distance from the spine, to the person's left, and the way from the shoulders down to the hips,
    both in heights of the torso, times a half. Of a limb: the way along its two bones, -1 at the shoulder or hip, 0 at
    the elbow or knee, 1 at the wrist or ankle; and the distance from the nearer bone, to its left as one looks along
    it, in lengths of the limb.

    Args:
        keypoints: [B, 18, 3] x, y in pixels, confidence; known above 0.1. May lie outside the picture.
        size: (height, width).

    Returns:
        [B, 10, height, width] float32 in [-1, 1]; all 0 for a torso or limb with unknown points. Without hips the
        torso is taken to hang at right angles from the shoulders.
    """
    height, width = size
    points = keypoints.float()
    known = points[..., 2] > _CONFIDENT  # (B, 18)
    x = torch.arange(width, device=points.device) + 0.5
    y = torch.arange(height, device=points.device) + 0.5
    pixels = torch.stack(torch.broadcast_tensors(x[None, :], y[:, None]))  # (2, H, W)
    planes = [_torso(points[..., :2], known, pixels)]
    planes += [_limb(points[:, chain, :2], known[:, chain].all(1), pixels) for chain in _LIMBS.values()]
    return torch.cat(planes, dim=1)


def _torso(points: Tensor, known: Tensor, pixels: Tensor) -> Tensor:
    """[B, 2, H, W]"""
    right, left = points[:, _RIGHT_SHOULDER], points[:, _LEFT_SHOULDER]
    middle, across = (right + left) / 2, left - right  # (B, 2)
    hanging = torch.stack([-across[:, 1], across[:, 0]], dim=1) * _TORSO
    hips = (points[:, _RIGHT_HIP] + points[:, _LEFT_HIP]) / 2
    seen = known[:, _RIGHT_HIP] & known[:, _LEFT_HIP]
    down = torch.where(seen[:, None], hips - middle, hanging)[..., None, None]  # (B, 2, 1, 1)
    aside = torch.stack([down[:, 1], -down[:, 0]], dim=1)  # the person's left is right in the picture
    away = pixels - middle[..., None, None]
    unit = down.square().sum(1, keepdim=True).clamp(min=1.0)
    places = [(away * axis).sum(1, keepdim=True) / unit for axis in (aside, down)]
    shown = known[:, _RIGHT_SHOULDER] & known[:, _LEFT_SHOULDER]
    return torch.cat(places, dim=1).div(_REACH).clamp(-1, 1) * shown[:, None, None, None]


def _limb(joints: Tensor, known: Tensor, pixels: Tensor) -> Tensor:
    """[B, 2, H, W] of joints [B, 3, 2]"""
    bones = joints[:, 1:] - joints[:, :-1]  # (B, 2, 2)
    length = bones.square().sum(2).sqrt().clamp(min=1.0)  # (B, 2)
    along, aside, distance = [], [], []
    for number in range(2):
        bone, long = bones[:, number, :, None, None], length[:, number, None, None]
        away = pixels - joints[:, number, :, None, None]  # (B, 2, H, W)
        way = ((away * bone).sum(1) / long.square()).clamp(0, 1)  # (B, H, W)
        along.append(way + number - 1)
        aside.append((away[:, 0] * bone[:, 1] - away[:, 1] * bone[:, 0]) / long)
        distance.append((away - way[:, None] * bone).square().sum(1))
    first = distance[0] <= distance[1]
    whole = length.sum(1)[:, None, None]
    sign = torch.where(first, aside[0], aside[1]).sign()
    apart = (torch.minimum(*distance).sqrt() / whole).clamp(max=1) * sign
    return torch.stack([torch.where(first, *along), apart], dim=1) * known[:, None, None, None]
