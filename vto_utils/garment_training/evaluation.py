"""Figures of the garment network on what it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..garment_reading import GarmentNetReader
from ..networks.garment import CATEGORIES, KINDS, LABELS, GarmentNet
from .sources import Flats, Sources, category_number


def evaluate(net: GarmentNet, sources: Sources, size: tuple[int, int]) -> dict[str, Any]:
    """Held-out clothing photos, synthetic flats of the split "test", and CCP's held-out people."""
    reader = GarmentNetReader(net.eval(), size)
    figures: dict[str, Any] = {}
    if sources.clothing is not None:
        clothing = sources.clothing
        truth, found, labels, kinds = [], [], [], []
        for name in clothing.test:
            reading = reader.read(clothing.photo(name))
            truth.append(clothing.labels[name])
            labels.append(LABELS.index(reading.label))
            found.append(CATEGORIES.index(reading.category))
            kinds.append(KINDS.index(reading.kind))
        figures["clothing"] = {
            "photos": len(truth),
            "category_accuracy": _share([category_number(t) == f for t, f in zip(truth, found, strict=True)]),
            "label_accuracy": _share([t == f for t, f in zip(truth, labels, strict=True)]),
            "taken_for": {name: kinds.count(i) for i, name in enumerate(KINDS)},
            "category_confusion": confusion([category_number(t) for t in truth], found, 3).tolist(),
            "label_confusion": confusion(truth, labels, len(LABELS)).tolist(),
        }
    if sources.flats is not None and (sources.flats.folder.parent / "test" / "params").is_dir():
        flats = Flats(sources.flats.folder.parent, "test")
        scores, right = [], []
        for number in range(len(flats)):
            image, mask, category = flats.read(number)
            reading = reader.read(image)
            scores.append(iou(reading.mask > 0.5, mask > 127))
            right.append(CATEGORIES.index(reading.category) == category)
        figures["flats"] = {
            "pictures": len(scores), "iou": float(np.mean(scores)), "worst_iou": float(min(scores)),
            "category_accuracy": _share(right),
        }  # fmt: skip
    if sources.people is not None:
        kinds = [reader.read(sources.people.read(name)[0]).kind for name in sources.people.test]
        figures["people"] = {"photos": len(kinds), "seen": _share([kind == "person" for kind in kinds])}
    return figures


def iou(found: np.ndarray, true: np.ndarray) -> float:
    """Intersection over union of two bool masks; 1 where both are empty."""
    either = (found | true).sum()
    return float((found & true).sum() / either) if either else 1.0


def confusion(truth: Sequence[int], found: Sequence[int], count: int) -> np.ndarray:
    """(count, count) int: rows are what it is, columns what it was taken for."""
    table = np.zeros((count, count), int)
    np.add.at(table, (np.asarray(truth, int), np.asarray(found, int)), 1)
    return table


def format_figures(figures: dict[str, Any]) -> str:
    """For reading."""
    lines = []
    if "clothing" in figures:
        own = figures["clothing"]
        lines.append(f"{own['photos']} clothing photos: category {own['category_accuracy']:.4f} right, "
                     f"label {own['label_accuracy']:.4f}; taken for {own['taken_for']}")  # fmt: skip
        for name, row in zip(CATEGORIES, own["category_confusion"], strict=True):
            lines.append(f"  {name:12}" + "".join(f"{n:6}" for n in row))
        for name, row in zip(LABELS, own["label_confusion"], strict=True):
            lines.append(f"  {name:12}" + "".join(f"{n:5}" for n in row))
    if "flats" in figures:
        own = figures["flats"]
        lines.append(f"{own['pictures']} flats: IoU {own['iou']:.4f}, worst {own['worst_iou']:.4f}, "
                     f"category {own['category_accuracy']:.4f} right")  # fmt: skip
    if "people" in figures:
        lines.append(f"{figures['people']['photos']} people: {figures['people']['seen']:.3f} seen")
    return "\n".join(lines)


def _share(right: Sequence[bool]) -> float:
    return sum(right) / max(1, len(right))
