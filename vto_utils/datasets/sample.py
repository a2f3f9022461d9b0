"""What one item of a data set is: who wears what, tries on what, and what is known of the result.

An item is a dict. All pictures of all items have one size (H, W), and every item has every key, so that items of
different data sets make one batch; ``has_target`` and ``has_flow`` say which of the optional ones are real.

==================  ==========  =======  ====================================================================
key                 shape       dtype    values
==================  ==========  =======  ====================================================================
person              (3, H, W)   float32  RGB in [-1, 1], the photo whose agnostic parts are given
parse               (H, W)      uint8    CIHP-20 ids of ``person``
agnostic_mask       (1, H, W)   float32  0 or 1 = may be repainted
keypoints           (18, 3)     float32  COCO-18: x, y in pixels of this size, confidence; unknown: 0, 0, 0
cloth               (3, H, W)   float32  RGB in [-1, 1], the garment to be tried on, on white
cloth_mask          (1, H, W)   float32  [0, 1], soft at the edge
category            ()          int64    place in :data:`CATEGORIES`: upper_body, lower_body, dresses
target              (3, H, W)   float32  RGB in [-1, 1], the person wearing exactly that garment
target_parse        (H, W)      uint8    CIHP-20 ids of ``target``
target_garment      (1, H, W)   float32  0 or 1, where that garment is seen in ``target``
flow                (2, H, W)   float32  x, y in ``cloth`` of each pixel of ``target``: absolute, normalised for
                                         ``grid_sample(align_corners=False)``; 0 where not ``flow_valid``
flow_valid          (1, H, W)   float32  0 or 1, ``cloth`` shows that very spot
has_target          ()          bool     ``target``, ``target_parse`` and ``target_garment`` are real, else all 0
has_flow            ()          bool     ``flow`` and ``flow_valid`` are real, else all 0
swapped             ()          bool     ``target`` is another photo than ``person``: the garment was changed
name, cloth_name    str                  file names without ending
dataset             str                  name of the layout
==================  ==========  =======  ====================================================================

Key points are counted from the outer corner of the first pixel, so the middle of that pixel is (0.5, 0.5): the
one way in which resizing a picture multiplies them, and what the pose model gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from .. import agnostic, filters, labels
from ..errors import InputError, NoPersonError
from ..pose import Pose

if TYPE_CHECKING:
    from torch import Tensor

CATEGORIES = tuple(labels.CATEGORIES)
_ABOVE = (*labels.CATEGORIES["upper_body"], labels.ID["dress"], labels.ID["torso-skin"], *labels.ARMS)
_BELOW = (*labels.CATEGORIES["lower_body"], labels.ID["dress"], *labels.LEGS)
_REPAINTED = {"upper_body": _ABOVE, "lower_body": _BELOW, "dresses": (*_ABOVE, *_BELOW)}


@dataclass(frozen=True)
class Sample:
    """An item before it becomes tensors; all arrays of one size (H, W)."""

    name: str  # of the person, without ending
    cloth_name: str
    dataset: str  # name of the layout
    category: str  # upper_body, lower_body or dresses
    person: np.ndarray  # (H, W, 3) uint8 RGB
    parse: np.ndarray  # (H, W) uint8 CIHP-20 ids
    keypoints: np.ndarray  # (18, 3) float32 x, y in pixels, confidence
    cloth: np.ndarray  # (H, W, 3) uint8 RGB on white
    cloth_mask: np.ndarray  # (H, W) uint8, 0..255
    target: np.ndarray | None = None  # (H, W, 3) uint8 RGB
    target_parse: np.ndarray | None = None  # (H, W) uint8 CIHP-20 ids
    target_garment: np.ndarray | None = None  # (H, W) bool
    flow: np.ndarray | None = None  # (H, W, 2) float32 x, y as above
    flow_valid: np.ndarray | None = None  # (H, W) bool
    agnostic_mask: np.ndarray | None = None  # (H, W) bool; None: follows from parse and key points
    swapped: bool = False
    places_known: bool = False  # a key point's place is true even where its confidence is 0

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.parse.shape


def agnostic_region(sample: Sample) -> np.ndarray:
    """Bool (H, W): what a try-on may repaint; the sample's own mask, else as the try-on itself finds it.

    Photos that are cut below the shoulders have no body to measure by: there the labels alone decide, grown by
    3 % of the picture's height.
    """
    if sample.agnostic_mask is not None:
        return sample.agnostic_mask
    points = sample.keypoints
    if sample.places_known:
        points = np.concatenate([points[:, :2], np.ones((18, 1), np.float32)], 1)
    try:
        return agnostic.agnostic_mask(sample.parse, Pose(points), sample.category)
    except NoPersonError:
        repainted = labels.select(sample.parse, _REPAINTED[sample.category])
        kept = ~repainted & (sample.parse > 0)
        return filters.grow(repainted, 0.03 * sample.size[0]) & ~kept


def visible_garment(parse: np.ndarray, category: str) -> np.ndarray:
    """Bool (H, W): where the label map (CIHP-20 ids) shows the garment of a category.

    Parsers call long tops dresses, and dresses a top with a skirt: where the category's own labels are missing,
    those stand in for them.
    """
    dress = labels.select(parse, (labels.ID["dress"],))
    if category == "lower_body":
        return labels.select(parse, labels.CATEGORIES["lower_body"])
    if category == "upper_body":
        top = labels.select(parse, labels.CATEGORIES["upper_body"])
        return top if top.any() else dress
    whole = labels.select(parse, labels.CATEGORIES["dresses"])
    return dress if dress.sum() > 0.25 * whole.sum() else whole


def on_white(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The garment without what lies around it.

    Args:
        picture: (H, W, 3) uint8.
        mask: (H, W) uint8, 0..255.

    Returns:
        (H, W, 3) uint8.
    """
    share = cv2.merge([mask, mask, mask])
    return cv2.add(cv2.multiply(picture, share, scale=1 / 255), cv2.bitwise_not(share))


def to_item(sample: Sample) -> dict[str, Any]:
    """The dict of tensors that stands at the head of this module."""
    import torch

    size = sample.size
    has_target, has_flow = sample.target is not None, sample.flow is not None
    blank = np.zeros(size, np.uint8)
    points = np.where(sample.keypoints[:, 2:] > 0, sample.keypoints, 0).astype(np.float32)
    flow = sample.flow if has_flow else np.zeros((*size, 2), np.float32)
    return {
        "person": _picture(sample.person),
        "parse": torch.from_numpy(np.ascontiguousarray(sample.parse)),
        "agnostic_mask": _mask(agnostic_region(sample)),
        "keypoints": torch.from_numpy(points),
        "cloth": _picture(sample.cloth),
        "cloth_mask": _mask(sample.cloth_mask) / 255,
        "category": torch.tensor(CATEGORIES.index(sample.category)),
        "target": _picture(sample.target) if has_target else torch.zeros(3, *size),
        "target_parse": torch.from_numpy(np.ascontiguousarray(sample.target_parse if has_target else blank)),
        "target_garment": _mask(sample.target_garment if has_target else blank),
        "flow": torch.from_numpy(np.ascontiguousarray(flow.transpose(2, 0, 1), np.float32)),
        "flow_valid": _mask(sample.flow_valid if has_flow else blank),
        "has_target": torch.tensor(has_target),
        "has_flow": torch.tensor(has_flow),
        "swapped": torch.tensor(sample.swapped),
        "name": sample.name,
        "cloth_name": sample.cloth_name,
        "dataset": sample.dataset,
    }


def _picture(array: np.ndarray) -> Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1))).float().div_(127.5).sub_(1)


def _mask(array: np.ndarray) -> Tensor:
    import torch

    return torch.from_numpy(array.astype(np.float32))[None]


def collate(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A batch of items: tensors stacked, names in lists. For ``DataLoader(collate_fn=collate)``.

    Raises:
        InputError: the items have different sizes.
    """
    import torch

    sizes = {tuple(item["parse"].shape) for item in items}
    if len(sizes) > 1:
        found = " and ".join(f"{height}x{width}" for height, width in sorted(sizes))
        raise InputError(f"Items of the sizes {found} cannot be one batch: open all data sets with one size.")
    first = items[0]
    return {
        key: torch.stack([item[key] for item in items]) if torch.is_tensor(value) else [item[key] for item in items]
        for key, value in first.items()
    }
