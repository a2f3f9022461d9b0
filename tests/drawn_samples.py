"""A sample whose target truly shows its garment where the flow says."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch
from dataset_files import KEYPOINTS, OWN, body, garment, person

from vto_utils.datasets.sample import Sample
from vto_utils.networks import sample as read_at


def smooth_picture(seed: int, size: tuple[int, int] = OWN) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1, (*size, 3)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 5)
    return np.clip(128 + 90 * noise / np.abs(noise).max(), 0, 255).astype(np.uint8)


def curved_flow(size: tuple[int, int] = OWN) -> tuple[np.ndarray, np.ndarray]:
    """A smooth flow on a region that is not symmetric."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    x, y = (x + 0.5) / size[1], (y + 0.5) / size[0]
    flow = np.stack([0.7 * (2 * x - 1) + 0.1 * np.sin(4 * y) + 0.1, 0.6 * (2 * y - 1) + 0.15 * x], -1)
    valid = (np.hypot(x - 0.4, y - 0.45) < 0.3) & (x < 0.55)
    return (flow * valid[..., None]).astype(np.float32), valid


def a_sample() -> Sample:
    flow, valid = curved_flow()
    cloth, target = smooth_picture(1), np.array(person(1))
    item = Sample(
        "p", "c", "drawn", "upper_body", np.array(person(0)), body(), KEYPOINTS.copy(), cloth,
        np.array(garment()[1]), target, body(lower="skirt"), valid.copy(), flow, valid, swapped=True,
    )  # fmt: skip
    return replace(item, target=np.where(valid[..., None], warped(item), target).round().astype(np.uint8))


def warped(sample: Sample) -> np.ndarray:
    """(H, W, 3) float: the garment where the flow puts it, 0 elsewhere."""
    cloth = torch.from_numpy(sample.cloth.astype(np.float32)).permute(2, 0, 1)[None]
    read = read_at(cloth, torch.from_numpy(np.ascontiguousarray(sample.flow.transpose(2, 0, 1)))[None])[0]
    return read.permute(1, 2, 0).numpy() * sample.flow_valid[..., None]


def inner(valid: np.ndarray) -> np.ndarray:
    """Pixels whose neighbours are valid too: at the edge a picture shows both sides."""
    return cv2.erode(valid.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
