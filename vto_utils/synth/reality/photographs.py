"""Statistics of real photographs, to stand next to those of samples."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ... import labels
from ...errors import InputError, VTOError
from ...images import load_image
from .accuracy import overlap
from .appearance import person_values
from .models import IOU, MIRROR, Models, shares

_CCP_LOWER, _CCP_DRESS = ("jeans", "leggings", "pants", "shorts", "skirt"), ("dress", "romper")
_AT_HOME = {
    "T-Shirt": ("flat tops", 40), "Longsleeve": ("flat tops", 60), "Polo": ("flat tops", 10),
    "Shirt": ("flat tops", 15), "Undershirt": ("flat tops", 10), "Pants": ("flat bottoms", 30),
    "Shorts": ("flat bottoms", 15), "Skirt": ("flat bottoms", 15), "Dress": ("flat dresses", 30),
}  # fmt: skip
_STREET = 100  # photographs, about


def measure_photos(folder: Path, progress: bool = True) -> dict[str, dict[str, Any]]:
    """Measure photographs.

    Args:
        folder: with ``real/person``, ``real/cloth``, ``ccp`` or ``clothing``.
        progress: say what has been measured.

    Returns:
        set of photographs -> {"values": group -> statistic -> values, "points": group -> list of poses, "count":
        group -> number of photographs}.

    Raises:
        InputError: the folder has none of the sets.
    """
    sets: dict[str, dict[str, Any]] = {}
    with Models() as models:
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


def _studio(folder: Path, models: Models) -> Iterator[_Picture]:
    from ...parsing import PersonParser

    parser = PersonParser("rules")
    for path in sorted(folder.glob("person/*.jpg")):
        image = np.asarray(load_image(path))
        pose, shaken = models.pose(image)
        alpha = models.remover.alpha(image)
        if pose is None:
            continue
        parse = parser.parse(image, alpha, pose)
        garment, skin = labels.select(parse, (5, 6, 7)), labels.select(parse, labels.SKIN)
        values = person_values(image, alpha > 127, garment, skin, pose)
        share = values.pop("garment's share")
        kind = "dresses" if (parse == labels.ID["dress"]).any() else "upper_body"
        values |= {f"garment's share, {kind}": share, MIRROR: shaken}
        yield "tops worn", values, shares(pose, image)
    for path in sorted(folder.glob("cloth/*.jpg")):
        yield "flat tops", models.flat(np.asarray(load_image(path)), top=True), []


def _street(folder: Path, models: Models) -> Iterator[_Picture]:
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
        pose, shaken = models.pose(image)
        lower, dress = (np.isin(parse, [number[n] for n in group]) for group in (_CCP_LOWER, _CCP_DRESS))
        kind, garment = ("dresses", dress) if dress.sum() > lower.sum() else ("lower_body", lower)
        if garment.mean() < 0.01:
            continue
        values = person_values(image, parse > 0, garment, parse == number["skin"], pose)
        share = values.pop("garment's share")
        person = np.where(parse > 0, 255, 0)
        iou = overlap(models.remover.alpha(image), person)[0]
        values |= {f"garment's share, {kind}": share, MIRROR: shaken, IOU: [iou]}
        yield "full length", values, shares(pose, image)


def _home(folder: Path, models: Models) -> Iterator[_Picture]:
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
                values = models.flat(image, group == "flat tops")
            except VTOError:
                continue
            for name in ("box: height", "box: width", "garment's share", "ground L"):  # of shops' pictures only
                values.pop(name, None)
            yield group, values, []
