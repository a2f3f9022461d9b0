"""How real models and statistics see the synthetic data: its gap to photographs, in numbers.

::

    python -m vto_utils.synth.reality --count 100 --out reality/             # samples made now
    python -m vto_utils.synth.reality DATA --real PHOTOS --out reality/      # of a folder; next to real photos

What is measured, sample by sample:

* **Pose.** MediaPipe looks at the person in the first garment. A key point's distance to the truth is given in %
  of the torso (neck to the middle of the hips), and split into *out* (along the shoulder line, away from the middle
  of the body) and *down* (along the torso). A median far from 0 there is another convention; the rest is error.
  As a yardstick that real photographs have too, MediaPipe is compared with itself on the mirrored picture.
* **Cut-out.** IoU of rembg's u2netp with the true masks of the person and of the flat garments, at half opacity.
* **Exactness.** The flat garment without light, sampled through the flow, minus the garment on the person without
  light, where the flow is valid (grey levels of 255). Only of samples made now: folders hold no unlit pictures.
* **Consistency** of flow, body parts and the two outfits, which share body and pose:

  - *orientation*: share of valid pixels at which the flow keeps the order of right and below (Jacobian > 0). A
    mirrored or folded flow fails;
  - *jumps*: share of neighbours, valid, on one panel and one depth (0.15 dm), more than 6 median steps apart;
  - *sides*: share of valid garment pixels over a body's left (right) arm that lie on the left (right) half of the
    flat garment; of trousers over the legs likewise;
  - *panels*: share of the pixels valid in both outfits which both take from the front, or both from the back;
  - *agreement*: what B's place in its flat does not tell of A's, for pixels of one body region (torso, arms, legs)
    valid in both. The body point under a pixel has one place in every garment, so one flat's place must follow
    from the other's by a smooth map; what a quadratic leaves (RMS) is given in % of the picture's height.

* **Statistics** of pictures: sizes, layout, colours, gradients, the angles of flat sleeves. With ``--real`` they
  stand next to the same measures of photographs, with the Wasserstein distance in standard deviations (the mean
  of both). The folder may have ``real/person``, ``real/cloth`` (studio and shop photographs), ``ccp``
  (street photographs with labels) and ``clothing`` (garments photographed at home); what is missing is left out.

The folder given by ``--out`` gets ``report.md``, ``rows.json`` (all figures), ``statistics.png`` and sheets of the
samples that pose estimation and cut-out like least.
"""

from __future__ import annotations

import argparse
import base64
import csv
import io
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image

from .. import labels
from ..errors import InputError, NoPersonError, VTOError
from ..files import atomic_path
from ..images import load_image
from ..pose import KEYPOINT_NAMES, Pose
from . import layout, records
from .workers import Done, WorkError, work

if TYPE_CHECKING:
    from ..background import BackgroundRemover
    from ..garment import GarmentReader
    from ..pose import PoseEstimator
    from ..silhouette import Landmarks
    from .samples import SynthConfig

JOINTS = tuple(f"{side}_{name}" for name in ("shoulder", "elbow", "wrist", "hip") for side in ("right", "left"))
#: What is asked for: name -> (least or most, value).
WANTED = {"found": ("least", 0.97), "joints": ("most", 5.0), "iou": ("least", 0.95), "difference": ("most", 4.0)}
_ELSEWHERE = 25.0  # % of the torso: key points this far off are of no person who is there
_IOU, _MIRROR = "u2netp's IoU", "MediaPipe against itself mirrored, %"
_LONG = 0.6  # breadths of the chest from which on a sleeve counts as long
_WORST = 12
_HEIGHT = 512  # pixels, at which pictures are compared
_LEVELS = np.linspace(0.02, 0.98, 25)  # quantiles that stand for the pixels of one picture
_OTHER_SIDE = {name: name.replace(one, two) for one, two in (("left", "right"), ("right", "left"))
               for name in KEYPOINT_NAMES if one in name}  # fmt: skip
_MIRRORED = [KEYPOINT_NAMES.index(_OTHER_SIDE.get(name, name)) for name in KEYPOINT_NAMES]
# DensePose's parts of the body
_TORSO, _LEFT_ARM, _RIGHT_ARM = (1, 2), (4, 15, 17, 19, 21), (3, 16, 18, 20, 22)
_LEFT_LEG, _RIGHT_LEG = (5, 8, 10, 12, 14), (6, 7, 9, 11, 13)


# Pose -----------------------------------------------------------------------------------------------


def _torso(points: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Length of the torso in pixels and unit vectors: down along it, and to the person's left."""
    neck, hips = points[1, :2].astype(float), points[[8, 11], :2].mean(0).astype(float)
    length = float(np.linalg.norm(hips - neck))
    down = (hips - neck) / max(length, 1e-6)
    shoulders = points[5, :2] - points[2, :2].astype(float)
    wide = float(np.linalg.norm(shoulders))
    if wide > 0.2 * length:
        return length, down, shoulders / wide
    across = np.array([down[1], -down[0]])  # seen from the side, the shoulder line tells little
    return length, down, across if across @ shoulders >= 0 else -across


def joint_errors(truth: np.ndarray, found: np.ndarray) -> dict[str, tuple[float, float, float]]:
    """How far found key points are from the true ones that are seen.

    Args:
        truth: (18, 3) float, COCO-18 in pixels; confidence 1 is seen.
        found: (18, 3) or (18, 2), the same points as found.

    Returns:
        name -> (distance, outwards, downwards), each in % of the torso. Of points in the middle of the body,
        outwards is to the person's left.
    """
    length, down, left = _torso(truth)
    errors = {}
    for name, point, other in zip(KEYPOINT_NAMES, truth, found, strict=True):
        if point[2] == 1:
            off = (other[:2] - point[:2].astype(float)) / max(length, 1e-6) * 100
            outwards = -1 if name.startswith("right") else 1
            errors[name] = (float(np.hypot(*off)), outwards * float(off @ left), float(off @ down))
    return errors


def mirrored(keypoints: np.ndarray, width: int) -> np.ndarray:
    """The key points (18, 3) of a picture from those of its mirror image, which is ``width`` pixels wide."""
    points = keypoints[_MIRRORED].copy()
    points[:, 0] = width - points[:, 0]
    return points


def _pose(image: np.ndarray, poses: PoseEstimator) -> tuple[Pose | None, list[float]]:
    """The pose, and the distances between it and that of the mirrored picture in % of the torso."""
    try:
        pose = poses.estimate(image)
        other = mirrored(poses.estimate(np.ascontiguousarray(image[:, ::-1])).keypoints, image.shape[1])
    except NoPersonError:
        return None, []
    known = (pose.keypoints[:, 2] > 0.5) & (other[:, 2] > 0.5)
    wanted = np.array([name in JOINTS for name in KEYPOINT_NAMES]) & known
    length = max(_torso(pose.keypoints)[0], 1e-6)
    return pose, (np.linalg.norm(pose.keypoints[wanted, :2] - other[wanted, :2], axis=1) / length * 100).tolist()


# Masks and flow -------------------------------------------------------------------------------------


def overlap(guess: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
    """IoU of two masks (H, W), opaque above 127; and what the first has too much and too little, as shares of the
    second."""
    one, two = guess > 127, truth > 127
    size = max(int(two.sum()), 1)
    union = int((one | two).sum())
    return (float((one & two).sum() / union) if union else 1.0,
            float((one & ~two).sum() / size), float((two & ~one).sum() / size))  # fmt: skip


def _pixels(flow: np.ndarray) -> np.ndarray:
    """(H, W, 2) float32 pixel places, the middle of the first pixel being 0, from (2, H, W) flow."""
    size = np.array(flow.shape[:0:-1], np.float32)
    return ((flow.transpose(1, 2, 0) + 1) * size / 2 - 0.5).astype(np.float32)


def sampled_difference(flat: np.ndarray, worn: np.ndarray, flow: np.ndarray, valid: np.ndarray) -> float | None:
    """Mean absolute difference of the flat garment sampled through the flow and the worn one, both without light.

    Args:
        flat, worn: (H, W, 3) uint8 RGB.
        flow: (2, H, W) as ``grid_sample(align_corners=False)`` takes it.
        valid: (H, W) bool.

    Returns:
        Grey levels of 255; None where nothing is valid.
    """
    if not valid.any():
        return None
    place = _pixels(flow)
    shown = cv2.remap(flat, place[..., 0], place[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return float(np.abs(shown[valid].astype(np.float32) - worn[valid]).mean())


def flow_order(flow: np.ndarray, valid: np.ndarray, side: np.ndarray, depth: np.ndarray) -> tuple[float, float]:
    """Orientation and jumps of a flow, as the module's text explains them; (2, H, W), then (H, W) each."""
    place = _pixels(flow)
    right, below = place[:, 1:] - place[:, :-1], place[1:] - place[:-1]
    paired = valid[:, 1:] & valid[:, :-1] & (side[:, 1:] == side[:, :-1])
    stacked = valid[1:] & valid[:-1] & (side[1:] == side[:-1])
    both = paired[:-1] & stacked[:, :-1]
    if not both.any():
        return 1.0, 0.0
    jacobian = right[:-1, :, 0] * below[:, :-1, 1] - right[:-1, :, 1] * below[:, :-1, 0]
    level = paired & (np.abs(depth[:, 1:] - depth[:, :-1]) < 0.15)
    steps = np.linalg.norm(right, axis=-1)[level]
    jumps = float((steps > 6 * np.median(steps)).mean()) if steps.size else 0.0
    return float((jacobian[both] > 0).mean()), jumps


def flow_sides(
    flow: np.ndarray, valid: np.ndarray, parts: np.ndarray, flat_mask: np.ndarray, legs: bool
) -> tuple[int, int]:
    """How many pixels over a left or right arm (leg) lie on that half of the flat garment, and how many there are.

    Args:
        flow, valid: (2, H, W) and (H, W).
        parts: (H, W) DensePose ids of the body under the clothes.
        flat_mask: (H, W) of the flat garment.
        legs: ask the legs, not the arms.
    """
    columns = np.flatnonzero((flat_mask > 127).any(0))
    if not columns.size:
        return 0, 0
    away = _pixels(flow)[..., 0] - (columns[0] + columns[-1]) / 2
    right, total = 0, 0
    for ids, sign in ((_LEFT_LEG if legs else _LEFT_ARM, 1), (_RIGHT_LEG if legs else _RIGHT_ARM, -1)):
        here = valid & np.isin(parts, ids)
        right += int((away[here] * sign > 0).sum())
        total += int(here.sum())
    return right, total


def flow_agreement(flow: np.ndarray, other: np.ndarray, both: np.ndarray, parts: np.ndarray) -> list[float]:
    """What a quadratic map from ``other`` to ``flow`` leaves, RMS in % of the height, for each region of the body.

    Args:
        flow, other: (2, H, W) of the two outfits.
        both: (H, W) bool, pixels to look at.
        parts: (H, W) DensePose ids.
    """
    left = []
    for ids in (_TORSO, _LEFT_ARM, _RIGHT_ARM, _LEFT_LEG, _RIGHT_LEG):
        here = both & np.isin(parts, ids)
        if here.sum() < 200:
            continue
        x, y = (_pixels(other)[here].astype(float) / parts.shape[0]).T
        wanted = _pixels(flow)[here].astype(float) / parts.shape[0]
        terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], 1)
        fit, *_ = np.linalg.lstsq(terms, wanted, rcond=None)
        left.append(float(np.sqrt(((terms @ fit - wanted) ** 2).sum(1).mean()) * 100))
    return left


def _consistency(fields: Mapping[str, np.ndarray], garments: Sequence[str]) -> dict[str, Any]:
    """All figures on the flow of one sample; ``garments`` are the kinds of the two."""
    parts = fields["parts"]
    out: dict[str, Any] = defaultdict(list)
    for swap, kind in zip(("", "_swap"), garments, strict=True):
        flow, valid, side = (fields[f"{name}{swap}"] for name in ("flow", "valid", "side"))
        shown = fields[f"garment_mask{swap}"]
        out["valid"].append(float((valid & shown).sum() / max(shown.sum(), 1)))
        # the other outfit's depth is not kept: without it, jumps count at edges too, so only the first is asked
        orientation, jumps = flow_order(flow, valid, side, fields["depth"])
        out["orientation"].append(orientation)
        if not swap:
            out["jumps"].append(jumps)
        if kind in ("top", "dress", "trousers"):
            right, total = flow_sides(flow, valid, parts, fields[f"cloth_mask{swap}"], kind == "trousers")
            if total > 50:
                out["sides"].append(right / total)
        if f"albedo{swap}" in fields:
            flat, worn = fields[f"cloth_albedo{swap}"], fields[f"albedo{swap}"]
            difference = sampled_difference(flat, worn, flow, valid)
            if difference is not None:
                out["difference"].append(difference)
    both = fields["valid"] & fields["valid_swap"]
    same = fields["side"] == fields["side_swap"]
    if both.sum() > 200:
        out["panels"].append(float(same[both].mean()))
        front = both & same & (fields["side"] == 1)
        out["agreement"] += flow_agreement(fields["flow"], fields["flow_swap"], front, parts)
    return dict(out)


# Statistics of pictures -----------------------------------------------------------------------------


def _lab(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32 CIE L, a, b of uint8 RGB."""
    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def _slope(lightness: np.ndarray) -> np.ndarray:
    """Gradient magnitude in units of lightness per pixel (central differences)."""
    right = (np.roll(lightness, -1, 1) - np.roll(lightness, 1, 1)) / 2
    below = (np.roll(lightness, -1, 0) - np.roll(lightness, 1, 0)) / 2
    return np.hypot(right, below)


def _spread(values: np.ndarray) -> list[float]:
    """Quantiles that stand for many pixels."""
    return np.quantile(values, _LEVELS).tolist() if values.size > 50 else []


def _inside(mask: np.ndarray, pixels: int) -> np.ndarray:
    return cv2.erode(mask.astype(np.uint8), np.ones((2 * pixels + 1,) * 2, np.uint8)).astype(bool)


def _normal_size(image: np.ndarray, *masks: np.ndarray) -> tuple[np.ndarray, ...]:
    """Picture and masks at the height at which they are compared."""
    width = round(image.shape[1] * _HEIGHT / image.shape[0])
    size = (width, _HEIGHT)
    if image.shape[:2] == size[::-1]:
        return image, *(mask.astype(bool) for mask in masks)
    how = cv2.INTER_AREA if image.shape[0] > _HEIGHT else cv2.INTER_LINEAR
    small = (cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0 for mask in masks)
    return cv2.resize(image, size, interpolation=how), *small


def person_values(
    image: np.ndarray, person: np.ndarray, garment: np.ndarray, skin: np.ndarray, pose: Pose | None
) -> dict[str, list[float]]:
    """Statistics of a picture of a person.

    Args:
        image: (H, W, 3) uint8 RGB.
        person, garment, skin: (H, W) bool.
        pose: as found; may be missing.
    """
    layout_values = {} if pose is None else _layout_values(pose.keypoints, image.shape[:2])
    image, person, garment, skin = _normal_size(image, person, garment, skin)
    lab = _lab(image)
    slope = _slope(lab[..., 0])
    ground = ~cv2.dilate(person.astype(np.uint8), np.ones((15, 15), np.uint8)).astype(bool)
    inner, body = _inside(garment, 4), _inside(person, 2)
    values = {
        "garment's share": [float(garment.mean())],
        "person's share": [float(person.mean())],
        "garment L": _spread(lab[inner, 0]), "garment a": _spread(lab[inner, 1]), "garment b": _spread(lab[inner, 2]),
        "skin L": _spread(lab[_inside(skin, 2), 0]), "skin a": _spread(lab[_inside(skin, 2), 1]),
        "skin b": _spread(lab[_inside(skin, 2), 2]),
        "gradient, person": _spread(slope[body]), "gradient, garment": _spread(slope[inner]),
        "gradient, skin": _spread(slope[_inside(skin, 3)]), "gradient, ground": _spread(slope[ground]),
    }  # fmt: skip
    if ground.sum() > 500:
        values["ground L"] = [float(np.median(lab[ground, 0]))]
        values["ground L, spread"] = [float(lab[ground, 0].std())]
    if inner.sum() > 500:
        values["garment L, spread"] = [float(lab[inner, 0].std())]
    return values | layout_values


def _layout_values(points: np.ndarray, size: tuple[int, int]) -> dict[str, list[float]]:
    """Where the body is in the picture, and where the limbs are beside the body."""
    height, width = size
    length, down, left = _torso(points)
    hips = points[[8, 11], :2].mean(0)
    values = {
        "neck x": [float(points[1, 0] / width)],
        "neck y": [float(points[1, 1] / height)],
        "hips y": [float(hips[1] / height)],
        "torso's height": [length / height],
        "shoulders / torso": [float(np.linalg.norm(points[5, :2] - points[2, :2]) / max(length, 1e-6))],
        "hips / torso": [float(np.linalg.norm(points[11, :2] - points[8, :2]) / max(length, 1e-6))],
    }
    for name in ("elbow", "wrist"):
        for side, sign in (("right", -1), ("left", 1)):
            x, y, known = points[KEYPOINT_NAMES.index(f"{side}_{name}")]
            if known > 0.3:
                off = (np.array([x, y], float) - points[1, :2]) / max(length, 1e-6)
                values.setdefault(f"{name} out", []).append(sign * float(off @ left))
                values.setdefault(f"{name} down", []).append(float(off @ down))
    if points[0, 2] > 0.3:
        values["nose above neck"] = [-float((points[0, :2] - points[1, :2]) @ down / max(length, 1e-6))]
    ankles = points[[10, 13]]
    if (ankles[:, 2] > 0.3).all():
        values["ankles y"] = [float(ankles[:, 1].mean() / height)]
        values["legs / torso"] = [float(np.linalg.norm(ankles[:, :2].mean(0) - hips) / max(length, 1e-6))]
    return values


def sleeve_values(landmarks: Landmarks) -> dict[str, list[float]]:
    """Proportions of a flat top: lengths in breadths of the chest; angles of its sleeves in degrees from hanging
    straight down (0) to horizontal (90). Nothing of an outline that was not understood: two sleeves that differ by
    a half, or a body that no garment has."""
    points = landmarks.points
    chest = float(np.linalg.norm(points["left_underarm"] - points["right_underarm"]))
    length = float(points["hem"][1] - (points["left_neck"] + points["right_neck"])[1] / 2)
    if not 0.7 * chest < length < 3.5 * chest:
        return {}
    hem = float(np.linalg.norm(points["left_hem"] - points["right_hem"]))
    neck = float(np.linalg.norm(points["left_neck"] - points["right_neck"]))
    values = {"length / chest": [length / chest], "hem / chest": [hem / chest], "neck / chest": [neck / chest]}
    lengths = [sleeve.length for sleeve in landmarks.sleeves.values()]
    if len(lengths) != 2 or max(lengths) > 1.5 * min(lengths):
        return values
    kind = "long" if np.mean(lengths) > _LONG * chest else "short"
    for side, sign in (("right", -1), ("left", 1)):
        sleeve = landmarks.sleeves[side]
        middle = (sleeve.outer + sleeve.inner) / 2
        x, y = middle[-1] - middle[0]
        opening = float(np.linalg.norm(sleeve.outer[-1] - sleeve.inner[-1]))
        values.setdefault(f"{kind} sleeve's angle", []).append(float(np.degrees(np.arctan2(sign * x, y))))
        values.setdefault(f"{kind} sleeve's length / chest", []).append(sleeve.length / chest)
        values.setdefault(f"{kind} sleeve's cuff / chest", []).append(opening / chest)
    return values


def flat_values(image: np.ndarray, mask: np.ndarray) -> dict[str, list[float]]:
    """Statistics of a picture of a flat garment; (H, W, 3) uint8 RGB, (H, W) bool."""
    if mask.sum() < 200:
        return {}
    ys, xs = np.nonzero(mask)
    tall, wide = float(np.ptp(ys) + 1), float(np.ptp(xs) + 1)
    values = {
        "box: height": [tall / mask.shape[0]], "box: width": [wide / mask.shape[1]],
        "box: width / height": [wide / tall],
        "share of its box": [float(mask.sum() / (tall * wide))], "garment's share": [float(mask.mean())],
    }  # fmt: skip
    image, mask = _normal_size(image, mask)
    lab = _lab(image)
    inner = _inside(mask, 4)
    ground = ~cv2.dilate(mask.astype(np.uint8), np.ones((31, 31), np.uint8)).astype(bool)
    values |= {f"garment {name}": _spread(lab[inner, k]) for k, name in enumerate("Lab")}
    values["gradient, garment"] = _spread(_slope(lab[..., 0])[inner])
    if inner.sum() > 500:
        values["garment L, spread"] = [float(lab[inner, 0].std())]
    if ground.sum() > 500:
        values["ground L"] = [float(np.median(lab[ground, 0]))]
    return values


def _read_flat(image: np.ndarray, reader: GarmentReader, category: str, mask: np.ndarray | None) -> dict[str, Any]:
    """Statistics of a flat garment; its mask is read from the picture where it is not known."""
    landmarks = None
    if category == "upper_body":
        try:
            read = reader.read(image, category)
            landmarks = read.landmarks
        except InputError:
            pass
    values = flat_values(image, (reader.alpha(image) > 0.5) if mask is None else mask)
    return values | ({} if landmarks is None else sleeve_values(landmarks))


# Samples --------------------------------------------------------------------------------------------


class _Made:
    """Samples that are made now."""

    def __init__(self, config: SynthConfig) -> None:
        from .samples import Generator

        self.generator = Generator(config)

    def read(self, index: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        sample = self.generator.sample(index)
        fields = layout.fields_of(sample)
        for view, flat, swap in ((sample.a, sample.flat_a, ""), (sample.b, sample.flat_b, "_swap")):
            fields |= {f"albedo{swap}": view.albedo, f"cloth_albedo{swap}": flat.albedo}
        return fields, {"split": sample.split, "category": sample.category, "params": sample.params}


class _Stored:
    """Samples of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def indices(self) -> list[int]:
        records.read_dataset(self.folder)
        return sorted(index for split in layout.SPLITS for index in records.finished_samples(self.folder / split))

    def read(self, index: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        name = layout.RECORD.format(layout.names(index)[0])
        split = next(self.folder / split for split in layout.SPLITS if (self.folder / split / name).exists())
        record = records.read_record(split, index)
        fields = layout.decode(split, index, set(layout.FIELDS) - {"keypoints"})
        fields["keypoints"] = np.array(record["keypoints"], np.float32)
        return fields, {key: record[key] for key in ("split", "category", "params")}


class _Models:
    """The real models, loaded when first asked for."""

    def __init__(self) -> None:
        from ..background import BackgroundRemover
        from ..garment import GarmentReader
        from ..pose import PoseEstimator

        self.poses: PoseEstimator = PoseEstimator()
        self.remover: BackgroundRemover = BackgroundRemover()
        self.reader: GarmentReader = GarmentReader(self.remover)


class _Examiner:
    """The job of a worker: everything about one sample, as JSON takes it."""

    def __init__(self, source: SynthConfig | Path) -> None:
        self.source = _Stored(source) if isinstance(source, Path) else _Made(source)
        self.models = _Models()

    def hello(self) -> None:
        return None

    def __call__(self, index: int) -> dict[str, Any]:
        fields, facts = self.source.read(index)
        return examine(index, fields, facts, self.models)

    def summary(self) -> None:
        self.models.poses.close()


def examine(
    index: int, fields: Mapping[str, np.ndarray], facts: Mapping[str, Any], models: _Models
) -> dict[str, Any]:
    """All figures of one sample.

    Args:
        index: of the sample.
        fields: of ``layout.fields_of``, with ``albedo`` and ``cloth_albedo`` (and ``_swap``) where known.
        facts: split, category and params of the sample.
        models: the real ones.
    """
    image, truth, category = fields["image"], fields["keypoints"], facts["category"]
    params = facts["params"]
    kinds = [params[name]["style"]["kind"] for name in ("first", "second")]
    pose, shaken = _pose(image, models.poses)
    errors = {} if pose is None else joint_errors(truth, pose.keypoints)
    cut = models.remover.alpha(image)
    row: dict[str, Any] = {
        "index": index, "split": facts["split"], "category": category, "crop": params["framing"]["kind"],
        "kinds": kinds, "found": pose is not None, "head": bool(truth[0, 2] > 0), "errors": errors, "mirror": shaken,
        "person": overlap(cut, fields["person_mask"]), "flats": [], "flow": _consistency(fields, kinds),
        "points": [] if pose is None else (pose.keypoints / [image.shape[1], image.shape[0], 1]).round(4).tolist(),
        "sheets": {"pose": _pose_picture(image, truth, pose),
                   "person": _cut_picture(image, cut, fields["person_mask"])},
    }  # fmt: skip
    for swap in ("", "_swap"):
        flat, mask = fields[f"cloth{swap}"], fields[f"cloth_mask{swap}"]
        alpha = models.remover.alpha(flat)
        row["flats"].append(overlap(alpha, mask))
        row["sheets"][f"flat{swap}"] = _cut_picture(flat, alpha, mask)
    row["values"] = _sample_values(fields, category, kinds, pose, models)
    for group in ("tops worn", "full length"):
        if group in row["values"]:
            row["values"][group] |= {_IOU: [row["person"][0]], _MIRROR: shaken}
    return row


def _sample_values(
    fields: Mapping[str, np.ndarray], category: str, kinds: Sequence[str], pose: Pose | None, models: _Models
) -> dict[str, dict[str, list[float]]]:
    """Statistics by what may be compared with them: group -> name -> values."""
    groups: dict[str, dict[str, list[float]]] = {}
    truth = fields["keypoints"]
    head, ankles = truth[0, 2] > 0, (truth[[10, 13], 2] > 0).all()
    if head and (category == "upper_body" or ankles):
        group = "tops worn" if category == "upper_body" else "full length"
        skin = labels.select(fields["parse"], labels.SKIN)
        values = person_values(fields["image"], fields["person_mask"] > 127, fields["garment_mask"], skin, pose)
        share = values.pop("garment's share")
        groups[group] = values | {f"garment's share, {category}": share}
    for swap, kind in zip(("", "_swap"), kinds, strict=True):
        group = {"top": "flat tops", "dress": "flat dresses"}.get(kind, "flat bottoms")
        mask = fields[f"cloth_mask{swap}"] > 127
        values = _read_flat(
            fields[f"cloth{swap}"], models.reader, "upper_body" if kind == "top" else "other", mask
        )  # fmt: skip
        for name, found in values.items():
            groups.setdefault(group, {}).setdefault(name, []).extend(found)
    return groups


# Real photographs -----------------------------------------------------------------------------------

_CCP_TOPS = ("blouse", "bodysuit", "cardigan", "hoodie", "jumper", "shirt", "sweater", "sweatshirt", "t-shirt", "top")
_CCP_LOWER, _CCP_DRESS = ("jeans", "leggings", "pants", "shorts", "skirt"), ("dress", "romper")
_AT_HOME = {
    "T-Shirt": ("flat tops", 40), "Longsleeve": ("flat tops", 60), "Polo": ("flat tops", 10),
    "Shirt": ("flat tops", 15), "Undershirt": ("flat tops", 10), "Pants": ("flat bottoms", 30),
    "Shorts": ("flat bottoms", 15), "Skirt": ("flat bottoms", 15), "Dress": ("flat dresses", 30),
}  # fmt: skip
_STREET = 100


def measure_photos(folder: Path, progress: bool = True) -> dict[str, dict[str, Any]]:
    """Statistics of real photographs: set -> {"values": group -> name -> values, "points" and
    "count": by group}.

    Raises:
        InputError: the folder has none of the sets.
    """
    models = _Models()
    sets: dict[str, dict[str, Any]] = {}
    with models.poses:
        for name, pictures in (
            ("studio and shop", _studio(folder / "real", models)),
            ("street", _street(folder / "ccp", models)),
            ("at home", _home(folder / "clothing", models)),
        ):
            for group, values, pose in pictures:
                entry = sets.setdefault(name, {"values": {}, "points": {}, "count": {}})
                for key, found in values.items():
                    entry["values"].setdefault(group, {}).setdefault(key, []).extend(found)
                entry["count"][group] = entry["count"].get(group, 0) + 1
                if pose:
                    entry["points"].setdefault(group, []).append(pose)
            if progress and name in sets:
                print(f"Photographs, {name}: {sets[name]['count']}", flush=True)
    if not sets:
        raise InputError(f"{folder} has none of the folders real, ccp and clothing: name the one above them.")
    return sets


_Picture = tuple[str, dict[str, list[float]], list]


def _points(pose: Pose | None, image: np.ndarray) -> list:
    return [] if pose is None else (pose.keypoints / [image.shape[1], image.shape[0], 1]).round(4).tolist()


def _studio(folder: Path, models: _Models) -> Iterator[_Picture]:
    from ..parsing import PersonParser

    parser = PersonParser()
    for path in sorted(folder.glob("person/*.jpg")):
        image = np.asarray(load_image(path))
        pose, shaken = _pose(image, models.poses)
        alpha = models.remover.alpha(image)
        if pose is None:
            continue
        parse = parser.parse(image, alpha, pose)
        garment, skin = labels.select(parse, (5, 6, 7)), labels.select(parse, labels.SKIN)
        values = person_values(image, alpha > 127, garment, skin, pose)
        share = values.pop("garment's share")
        kind = "dresses" if (parse == labels.ID["dress"]).any() else "upper_body"
        values |= {f"garment's share, {kind}": share, _MIRROR: shaken}
        yield "tops worn", values, _points(pose, image)
    for path in sorted(folder.glob("cloth/*.jpg")):
        yield "flat tops", _read_flat(np.asarray(load_image(path)), models.reader, "upper_body", None), []


def _street(folder: Path, models: _Models) -> Iterator[_Picture]:
    if not (folder / "labels.json").is_file():
        return
    names = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    number = {name: k for k, name in enumerate(names)}
    paths = sorted((folder / "labels").glob("*.png"))
    for path in paths[:: max(1, len(paths) // _STREET)]:
        image = np.asarray(load_image(folder / "photos" / f"{path.stem}.jpg"))
        with Image.open(path) as picture:
            parse = np.array(picture)
        if parse.shape != image.shape[:2]:
            continue
        cut = (parse.shape[0] - parse.shape[1] * 4 // 3) // 2  # the middle, 4:3
        image, parse = image[cut : len(image) - cut], parse[cut : len(parse) - cut]
        pose, shaken = _pose(image, models.poses)
        lower, dress = (np.isin(parse, [number[n] for n in group]) for group in (_CCP_LOWER, _CCP_DRESS))
        kind, garment = ("dresses", dress) if dress.sum() > lower.sum() else ("lower_body", lower)
        if garment.mean() < 0.01:
            continue
        values = person_values(image, parse > 0, garment, parse == number["skin"], pose)
        share = values.pop("garment's share")
        person = np.where(parse > 0, 255, 0)
        iou = overlap(models.remover.alpha(image), person)[0]
        values |= {f"garment's share, {kind}": share, _MIRROR: shaken, _IOU: [iou]}
        yield "full length", values, _points(pose, image)


def _home(folder: Path, models: _Models) -> Iterator[_Picture]:
    if not (folder / "images.csv").is_file():
        return
    left = {label: count for label, (_, count) in _AT_HOME.items()}
    with open(folder / "images.csv", encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            label, path = line["label"], folder / "images" / f"{line['image']}.jpg"
            if left.get(label, 0) < 1 or line["kids"] == "True" or not path.is_file():
                continue
            left[label] -= 1
            group = _AT_HOME[label][0]
            image = np.asarray(load_image(path))
            try:
                values = _read_flat(image, models.reader, "upper_body" if group == "flat tops" else "other", None)
            except VTOError:
                continue
            for name in ("box: height", "box: width", "garment's share", "ground L"):  # of shops' pictures only
                values.pop(name, None)
            yield group, values, []


# Report ---------------------------------------------------------------------------------------------


def pool(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, list[float]]]:
    """The values of all rows: group -> name -> values."""
    pooled: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        for group, values in row["values"].items():
            for name, found in values.items():
                pooled.setdefault(group, {}).setdefault(name, []).extend(found)
    return pooled


def distance(one: Sequence[float], two: Sequence[float]) -> float:
    """Wasserstein distance of two samples in standard deviations (the quadratic mean of both)."""
    from scipy.stats import wasserstein_distance

    spread = float(np.sqrt((np.var(one) + np.var(two)) / 2))
    return float(wasserstein_distance(one, two)) / max(spread, 1e-6)


def summarise(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The figures of all samples together."""
    found = [row for row in rows if row["found"]]
    errors: dict[str, list] = {name: [row["errors"][name] for row in found if name in row["errors"]]
                               for name in KEYPOINT_NAMES}  # fmt: skip
    asked = [error[0] for name in JOINTS for error in errors[name]]
    heads = [row for row in found if row["head"]]
    with_head = [row["errors"][name][0] for row in heads for name in JOINTS if name in row["errors"]]
    people = np.array([row["person"] for row in rows])
    flats = np.array([flat for row in rows for flat in row["flats"]])
    flow: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for name, values in row["flow"].items():
            flow[name] += values
    return {
        "samples": len(rows),
        "found": len(found) / len(rows),
        "missed": [_place(row) for row in rows if not row["found"]],
        "astray": [_place(row) for row in found if _is_astray(row)],
        "joints": _figures(asked), "joints of pictures with a head": _figures(with_head),
        "mirror": _figures([value for row in found for value in row["mirror"]]),
        "by joint": {name: _signed(values) for name, values in errors.items() if values},
        "person": _overlaps(people), "flat": _overlaps(flats),
        "flow": {name: {"mean": float(np.mean(values)), "least": min(values), "most": max(values)}
                 for name, values in flow.items()},
    }  # fmt: skip


def _place(row: Mapping[str, Any]) -> list:
    return [row["index"], row["crop"], "head" if row["head"] else "no head"]


def _is_astray(row: Mapping[str, Any]) -> bool:
    """Whether what was found is nobody who is there."""
    trunk = [row["errors"][name][0] for name in JOINTS if name in row["errors"] and name.endswith(("shoulder", "hip"))]
    points = trunk or [error[0] for error in row["errors"].values()]
    return bool(points) and float(np.median(points)) > _ELSEWHERE


def _figures(values: Sequence[float]) -> dict[str, float]:
    if not len(values):
        return {"count": 0}
    return {"count": len(values), "median": float(np.median(values)), "p90": float(np.percentile(values, 90))}


def _signed(errors: Sequence[Sequence[float]]) -> dict[str, float]:
    """Of (distance, out, down): how far, the offset that is common to all, and what is left of the distance without."""
    table = np.array(errors)
    out, down = np.median(table[:, 1]), np.median(table[:, 2])
    rest = np.hypot(table[:, 1] - out, table[:, 2] - down)
    return _figures(table[:, 0]) | {"out": float(out), "down": float(down), "rest": float(np.median(rest))}


def _overlaps(table: np.ndarray) -> dict[str, float]:
    iou, more, less = table.T
    return {"mean": float(iou.mean()), "median": float(np.median(iou)), "below 0.9": float((iou < 0.9).mean()),
            "too much": float(more.mean()), "too little": float(less.mean())}  # fmt: skip


def compare(
    made: Mapping[str, Mapping[str, Sequence[float]]], photos: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, str, str, list[float], list[float], float]]:
    """(group, name, set of photographs, values made, values of photographs, distance), widest apart last."""
    lines = []
    for name_of_set, entry in photos.items():
        for group, values in entry["values"].items():
            for name, real in values.items():
                mine = made.get(group, {}).get(name, [])
                if len(mine) >= 3 and len(real) >= 3:
                    lines.append((group, name, name_of_set, list(mine), list(real), distance(mine, real)))
    return sorted(lines, key=lambda line: (line[0], line[2], line[5]))


def report_text(summary: Mapping[str, Any], lines: Sequence[tuple], made: Mapping[str, Mapping[str, Any]]) -> str:
    """The report as Markdown."""
    text = [f"# {summary['samples']} samples as outside models see them", "", *_verdicts(summary), ""]
    joints, heads, mirror = summary["joints"], summary["joints of pictures with a head"], summary["mirror"]
    text += [
        f"MediaPipe finds a person in {summary['found']:.1%}; the visible shoulders, elbows, wrists and hips "
        f"({joints['count']}) are off by {_number(joints, 'median')} % of the torso (median; 90th percentile "
        f"{_number(joints, 'p90')}); where the head is in the picture, by {_number(heads, 'median')} "
        f"({_number(heads, 'p90')}). From itself on the mirrored picture it is off by {_number(mirror, 'median')} "
        f"({_number(mirror, 'p90')}).",
        f"Missed: {_list(summary['missed'])}. Found elsewhere: {_list(summary['astray'])}.",
        "", "| % of the torso | count | median | 90 % | out | down | rest |", "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, figures in summary["by joint"].items():
        cells = " | ".join(f"{figures[key]:.1f}" for key in ("median", "p90", "out", "down", "rest"))
        text.append(f"| {name.replace('_', ' ')} | {figures['count']} | {cells} |")
    text += ["", "| u2netp, IoU | mean | median | below 0.9 | too much | too little |", "|---|---|---|---|---|---|"]
    for name in ("person", "flat"):
        figures = summary[name]
        cells = " | ".join(f"{figures[key]:.3f}" for key in ("mean", "median", "below 0.9", "too much", "too little"))
        text.append(f"| {name} | {cells} |")
    text += ["", "| flow | mean | least | most |", "|---|---|---|---|"]
    for name, figures in summary["flow"].items():
        text.append(f"| {name} | {figures['mean']:.4f} | {figures['least']:.4f} | {figures['most']:.4f} |")
    if lines:
        text += ["", "| group | statistic | made | photographs | of | distance |", "|---|---|---|---|---|---|"]
        for group, name, which, mine, real, apart in lines:
            text.append(f"| {group} | {name} | {_mean(mine)} | {_mean(real)} | {which} | {apart:.2f} |")
    else:
        text += ["", "| group | statistic | made |", "|---|---|---|"]
        text += [f"| {group} | {name} | {_mean(values)} |" for group in made for name, values in made[group].items()
                 if len(values)]  # fmt: skip
    return "\n".join(text) + "\n"


def _verdicts(summary: Mapping[str, Any]) -> list[str]:
    figures = {
        "found": ("share of people found", summary["found"]),
        "joints": ("median distance of key points, % of the torso", summary["joints"].get("median", np.inf)),
        "person": ("mean IoU of people", summary["person"]["mean"]),
        "flat": ("mean IoU of flat garments", summary["flat"]["mean"]),
    }
    if "difference" in summary["flow"]:
        figures["difference"] = ("difference through the flow, of 255", summary["flow"]["difference"]["mean"])
    lines = []
    for key, (what, value) in figures.items():
        bound, wanted = WANTED["iou" if key in ("person", "flat") else key]
        good = value >= wanted if bound == "least" else value <= wanted
        lines.append(f"- {'reached' if good else 'MISSED'}: {what} {value:.3f} (at {bound} {wanted:g})")
    return lines


def _number(figures: Mapping[str, float], key: str) -> str:
    return f"{figures[key]:.1f}" if key in figures else "-"


def _list(entries: Sequence[Sequence[Any]]) -> str:
    return ", ".join(f"{index} ({crop}, {head})" for index, crop, head in entries) or "none"


def _mean(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3g} +- {np.std(values):.2g} ({len(values)})"


# Pictures -------------------------------------------------------------------------------------------


def _thumbnail(picture: np.ndarray) -> str:
    """A small JPEG as text."""
    buffer = io.BytesIO()
    image = Image.fromarray(picture)
    image.thumbnail((288, 384))
    image.save(buffer, "JPEG", quality=85)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _cut_picture(image: np.ndarray, guess: np.ndarray, truth: np.ndarray) -> str:
    """What a cut-out has too much in red, what it lacks in blue."""
    picture = image.copy()
    one, two = guess > 127, truth > 127
    for where, colour in ((one & ~two, (255, 0, 0)), (two & ~one, (0, 60, 255))):
        picture[where] = (0.35 * picture[where] + 0.65 * np.array(colour)).astype(np.uint8)
    return _thumbnail(picture)


def _pose_picture(image: np.ndarray, truth: np.ndarray, pose: Pose | None) -> str:
    """The true key points in green (yellow where hidden), the found ones in red."""
    picture = image.copy()
    unit = max(1, round(image.shape[0] / 256))
    if pose is not None:
        for name, (x, y, _) in zip(KEYPOINT_NAMES, truth, strict=True):
            to = pose.keypoints[KEYPOINT_NAMES.index(name), :2]
            cv2.line(picture, (int(x), int(y)), (int(to[0]), int(to[1])), (255, 0, 0), unit)
            cv2.circle(picture, (int(to[0]), int(to[1])), 2 * unit, (255, 0, 0), -1)
    for x, y, seen in truth:
        if seen > 0:
            cv2.circle(picture, (int(x), int(y)), 2 * unit, (0, 220, 0) if seen == 1 else (255, 220, 0), -1)
    return _thumbnail(picture)


def _worst(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[tuple[str, str]]]:
    """Sheet -> (picture, label) of the samples that come off worst."""
    people = [(row["person"][0], row["sheets"]["person"], _label(row, row["person"])) for row in rows]
    flats = [
        (flat[0], row["sheets"][f"flat{swap}"], _label(row, flat))
        for row in rows
        for swap, flat in zip(("", "_swap"), row["flats"], strict=True)
    ]
    poses = []
    for row in rows:
        most = max((row["errors"][name][0] for name in JOINTS if name in row["errors"]), default=0.0)
        label = f"{row['index']} {row['crop']} {most:.0f} %" if row["found"] else f"{row['index']} {row['crop']} missed"
        poses.append((-most if row["found"] else -np.inf, row["sheets"]["pose"], label))
    sheets = {"worst-people": people, "worst-flats": flats, "worst-poses": poses}
    return {
        name: [entry[1:] for entry in sorted(entries, key=lambda entry: entry[0])[:_WORST]]
        for name, entries in sheets.items()
    }


def _label(row: Mapping[str, Any], figures: Sequence[float]) -> str:
    return f"{row['index']} {row['crop']} {figures[0]:.3f} (+{figures[1]:.2f} -{figures[2]:.2f})"


def _sheet(entries: Sequence[tuple[str, str]]) -> Image.Image:
    from ..plots import labelled_sheet

    pictures = [Image.open(io.BytesIO(base64.b64decode(content))) for content, _ in entries]
    return labelled_sheet(pictures, [label for _, label in entries], 6, (384, 288))


def statistics_picture(
    made: Mapping[str, Mapping[str, Sequence[float]]],
    points: Mapping[str, Sequence],
    photos: Mapping[str, Mapping[str, Any]],
) -> Any:
    """Figure of twelve panels: what was made in blue, photographs in orange (studio and shop, street) and brown (home).

    Args:
        made: group -> name -> values.
        points: group -> lists of (18, 3) key points as shares of the picture, of what was made.
        photos: of `measure_photos`; may be empty.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(19, 13), layout="constrained")
    axes = figure.subplots(3, 4)
    for axis, group, by_torso in (
        (axes[0, 0], "tops worn", False), (axes[0, 1], "tops worn", True), (axes[0, 2], "full length", False)
    ):  # fmt: skip
        _scatter(axis, group, points, photos, by_torso)
        axis.set_title(f"key points, {group}{', in torsos from the neck' if by_torso else ''}", fontsize=10)
    panels: tuple[tuple[Any, str, tuple[tuple[str, str], ...], Any], ...] = (
        (axes[0, 3], "garment's share of the picture",
         (("tops worn", "garment's share, upper_body"), ("full length", "garment's share, lower_body"),
          ("full length", "garment's share, dresses")), np.linspace(0, 0.5, 21)),
        (axes[1, 0], "flat tops: angle of long sleeves, degrees from hanging", (("flat tops", "long sleeve's angle"),),
         np.linspace(-20, 90, 23)),
        (axes[1, 1], "flat tops: length (full line), long, short sleeve in breadths of the chest",
         (("flat tops", "length / chest"), ("flat tops", "long sleeve's length / chest"),
          ("flat tops", "short sleeve's length / chest")), np.linspace(0, 3, 25)),
        (axes[1, 2], "garment: L, worn (full line) and flat",
         (("tops worn", "garment L"), ("flat tops", "garment L")), np.linspace(0, 100, 21)),
        (axes[1, 3], "flat garment: a (full line), b",
         (("flat tops", "garment a"), ("flat tops", "garment b")), np.linspace(-40, 60, 41)),
        (axes[2, 0], "skin: L (full line), a, b",
         (("tops worn", "skin L"), ("tops worn", "skin a"), ("tops worn", "skin b")), np.linspace(-5, 95, 41)),
        (axes[2, 1], "gradient: person (full line), garment worn, garment flat",
         (("tops worn", "gradient, person"), ("tops worn", "gradient, garment"), ("flat tops", "gradient, garment")),
         np.linspace(0, 8, 33)),
        (axes[2, 2], "background: L, worn (full line) and flat",
         (("tops worn", "ground L"), ("flat tops", "ground L")), np.linspace(40, 100, 21)),
        (axes[2, 3], "flat tops: height (full line) and width of the picture",
         (("flat tops", "box: height"), ("flat tops", "box: width")), np.linspace(0, 1, 21)),
    )  # fmt: skip
    for axis, title, what, bins in panels:
        for (group, name), style in zip(what, ("-", "--", ":"), strict=False):
            _steps(axis, made.get(group, {}).get(name, []), bins, "tab:blue", style, f"made: {name}")
            for which, entry in photos.items():
                real = entry["values"].get(group, {}).get(name, [])
                _steps(axis, real, bins, "tab:brown" if which == "at home" else "tab:orange", style, f"{which}: {name}")
        axis.set_title(title, fontsize=10)
        axis.set_yticks([])
        if axis.patches:
            axis.legend(fontsize=6)
    return figure


def _steps(axis: Any, values: Sequence[float], bins: np.ndarray, colour: str, style: str, label: str) -> None:
    if len(values) >= 3:
        axis.hist(np.clip(values, bins[0], bins[-1]), bins, density=True, histtype="step", color=colour, ls=style,
                  label=label)  # fmt: skip


_DRAWN = {"neck": "v", "shoulder": "^", "elbow": "s", "wrist": "o", "hip": "D", "ankle": "x"}


def _scatter(
    axis: Any, group: str, points: Mapping[str, Sequence], photos: Mapping[str, Mapping[str, Any]], by_torso: bool
) -> None:
    sets = [("tab:blue", points.get(group, []))]
    sets += [("tab:orange", entry["points"].get(group, [])) for entry in photos.values()]
    for colour, poses in sets:
        if not poses:
            continue
        table = np.array(poses)
        if by_torso:
            torso = np.linalg.norm((table[:, 1, :2] - table[:, [8, 11], :2].mean(1)) * (0.75, 1), axis=1)
            table[..., :2] = (table[..., :2] - table[:, 1:2, :2]) * (0.75, 1) / np.maximum(torso, 1e-6)[:, None, None]
        for name, mark in _DRAWN.items():
            rows = [k for k, full in enumerate(KEYPOINT_NAMES) if full.endswith(name)]
            x, y, known = table[:, rows].reshape(-1, 3).T
            axis.scatter(x[known > 0.3], y[known > 0.3], 7, c=colour, marker=mark, alpha=0.5, linewidths=0.6)
    axis.set(**({"xlim": (-1.1, 1.1), "ylim": (1.7, -0.3), "aspect": 1} if by_torso else
                {"xlim": (0, 1), "ylim": (1, 0), "aspect": 4 / 3}))  # fmt: skip


# Command --------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    from .command import _size, _whole

    parser = argparse.ArgumentParser(
        prog="python -m vto_utils.synth.reality", description="Measure how real models see the synthetic data."
    )
    parser.add_argument("data", nargs="?", metavar="DATA", help="folder of a data set; without it samples are made")
    parser.add_argument("--count", type=_whole, default=100, metavar="N", help="samples to look at (default: 100)")
    parser.add_argument("--seed", type=_whole, default=0, metavar="S", help="of samples that are made (default: 0)")
    parser.add_argument("--size", type=_size, default=(512, 384), metavar="HxW", help="likewise (default: 512x384)")
    parser.add_argument("--workers", type=_whole, default=1, metavar="K", help="processes; 0: this one (default: 1)")
    parser.add_argument("--real", metavar="DIR", help="folder with real photographs to compare with")
    parser.add_argument("--out", default="reality", metavar="DIR", help="folder for the report (default: reality)")
    return parser


def measure(source: SynthConfig | Path, indices: Sequence[int], workers: int = 1) -> list[dict[str, Any]]:
    """Examine samples, with a progress bar.

    Args:
        source: what to make, or the folder of a data set.
        indices: of the samples.
        workers: processes; 0 uses this one.
    """
    from tqdm.auto import tqdm

    rows = {}
    events = work(_Examiner, (source,), indices, min(workers, len(indices)))
    with tqdm(total=len(indices), unit="sample", desc="Looking at samples") as bar:
        for event in events:
            if isinstance(event, Done):
                rows[event.number] = event.result
                bar.update()
    return [rows[index] for index in sorted(rows)]


def run(options: argparse.Namespace) -> int:
    """Measure, write the report, print it."""
    from .storage import check_size

    out = Path(options.out).expanduser()
    if options.count < 1 or options.workers < 0:
        raise InputError("The count must be 1 or more, and the number of workers not negative.")
    if options.data:
        source: SynthConfig | Path = Path(options.data).expanduser()
        indices = _Stored(source).indices()[: options.count]
        if not indices:
            raise InputError(f"There is no sample in {source}: make some with `python -m vto_utils synth`.")
    else:
        from .samples import SynthConfig

        check_size(options.size)
        source, indices = SynthConfig(size=options.size, seed=options.seed), list(range(options.count))
    out.mkdir(parents=True, exist_ok=True)
    photos = {}
    if options.real:
        known = out / "photographs.json"  # they do not change from run to run
        if known.exists():
            photos = json.loads(known.read_text(encoding="utf-8"))
        else:
            photos = measure_photos(Path(options.real).expanduser())
            _write_json(known, photos)
    try:
        rows = measure(source, indices, options.workers)
    except WorkError as error:
        if isinstance(error.error, VTOError):
            raise error.error from error
        raise
    made, summary = pool(rows), summarise(rows)
    points: dict[str, list] = defaultdict(list)
    for row in rows:
        for group in ("tops worn", "full length"):
            if group in row["values"] and row["points"]:
                points[group].append(row["points"])
    text = report_text(summary, compare(made, photos), made)
    with atomic_path(out / "report.md") as path:
        path.write_text(text, encoding="utf-8")
    for name, entries in _worst(rows).items():
        with atomic_path(out / f"{name}.png") as path:
            _sheet(entries).save(path, "PNG")
    with atomic_path(out / "statistics.png") as path:
        statistics_picture(made, points, photos).savefig(path, dpi=90, format="png")
    plain = [{key: value for key, value in row.items() if key != "sheets"} for row in rows]
    _write_json(out / "rows.json", {"summary": summary, "rows": plain})
    print(text)
    print(f"Look at {out}: report.md, statistics.png, worst-people.png, worst-flats.png, worst-poses.png.")
    return 0


def _write_json(path: Path, content: Any) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, default=float) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    try:
        return run(_parser().parse_args(arguments))
    except VTOError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
