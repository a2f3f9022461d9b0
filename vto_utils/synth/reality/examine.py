"""Everything that is measured on one sample."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image

from ... import labels
from ...errors import InputError
from ...pose import Pose
from .. import layout, records
from .accuracy import consistency, joint_errors, overlap
from .appearance import person_values
from .models import IOU, MIRROR, Models, shares

if TYPE_CHECKING:
    from ..samples import SynthConfig


class Made:
    """Samples that are made now."""

    def __init__(self, config: SynthConfig) -> None:
        from ..samples import Generator

        self.generator = Generator(config)

    def read(self, index: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        sample = self.generator.sample(index)
        fields = layout.fields_of(sample)
        for view, flat, swap in ((sample.a, sample.flat_a, ""), (sample.b, sample.flat_b, "_swap")):
            fields |= {f"albedo{swap}": view.albedo, f"cloth_albedo{swap}": flat.albedo}
        return fields, {"split": sample.split, "category": sample.category, "params": sample.params}


class Stored:
    """Samples of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def indices(self) -> list[int]:
        records.read_dataset(self.folder)
        return sorted(index for split in layout.SPLITS for index in records.finished_samples(self.folder / split))

    def read(self, index: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        name = layout.RECORD.format(layout.names(index)[0])
        split = next(self.folder / split for split in layout.SPLITS if (self.folder / split / name).exists())
        try:
            record = records.read_record(split, index)
            fields = layout.decode(split, index, set(layout.FIELDS) - {"keypoints"})
            fields["keypoints"] = np.array(record["keypoints"], np.float32)
            return fields, {key: record[key] for key in ("split", "category", "params")}
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(f"Sample {index} in {split} cannot be read ({error}): make the data set again.") from error


class Examiner:
    """The job of a worker: everything about one sample, as JSON takes it."""

    def __init__(self, source: SynthConfig | Path) -> None:
        self.source = Stored(source) if isinstance(source, Path) else Made(source)
        self.models = Models()

    def hello(self) -> None:
        return None

    def __call__(self, index: int) -> dict[str, Any]:
        fields, facts = self.source.read(index)
        return examine(index, fields, facts, self.models)

    def summary(self) -> None:
        self.models.close()


def examine(index: int, fields: Mapping[str, np.ndarray], facts: Mapping[str, Any], models: Models) -> dict[str, Any]:
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
    pose, shaken = models.pose(image)
    errors = {} if pose is None else joint_errors(truth, pose.keypoints)
    cut = models.remover.alpha(image)
    row: dict[str, Any] = {
        "index": index, "split": facts["split"], "category": category, "crop": params["framing"]["kind"],
        "kinds": kinds, "found": pose is not None, "head": bool(truth[0, 2] > 0), "errors": errors, "mirror": shaken,
        "person": overlap(cut, fields["person_mask"]), "flats": [], "flow": consistency(fields, kinds),
        "points": shares(pose, image),
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
            row["values"][group] |= {IOU: [row["person"][0]], MIRROR: shaken}
    return row


def _sample_values(
    fields: Mapping[str, np.ndarray], category: str, kinds: Sequence[str], pose: Pose | None, models: Models
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
        values = models.flat(fields[f"cloth{swap}"], kind == "top", mask)
        for name, found in values.items():
            groups.setdefault(group, {}).setdefault(name, []).extend(found)
    return groups


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
        ends = np.stack([truth[:, :2], pose.keypoints[:, :2]], 1).astype(int).tolist()
        for one, other in ends:
            cv2.line(picture, one, other, (255, 0, 0), unit)
            cv2.circle(picture, other, 2 * unit, (255, 0, 0), -1)
    for x, y, seen in truth:
        if seen > 0:
            cv2.circle(picture, (int(x), int(y)), 2 * unit, (0, 220, 0) if seen == 1 else (255, 220, 0), -1)
    return _thumbnail(picture)
