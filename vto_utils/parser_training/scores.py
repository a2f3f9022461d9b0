"""How well a parser labels: intersection over union by class and by group."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..labels import ID
from .examples import UNKNOWN

#: The measured classes and the CIHP-20 ids in each. Bags are background, as CIHP has them.
GROUPS = {
    "background": ("background",),
    "hair": ("hair",),
    "face": ("face",),
    "torso-skin": ("torso-skin",),
    "arms": ("left-arm", "right-arm"),
    "legs": ("left-leg", "right-leg"),
    "upper clothes": ("upper-clothes", "coat"),
    "lower clothes": ("pants", "skirt"),
    "dress": ("dress",),
    "shoes": ("left-shoe", "right-shoe"),
    "accessories": ("hat", "glove", "sunglasses", "scarf", "socks"),
}
CLOTHED_TORSO = ("upper-clothes", "coat", "dress")


class ParsingScore:
    """Counts pixels of predictions and truths, both CIHP-20 ids; truth UNKNOWN is left out, a bag is background."""

    def __init__(self) -> None:
        self.counts = np.zeros((len(ID), len(ID)), np.int64)  # [truth, prediction]

    def add(self, prediction: np.ndarray, truth: np.ndarray) -> None:
        """Count one photo; (H, W) uint8 each."""
        known = truth != UNKNOWN
        true, said = (np.where(x < len(ID), x, 0)[known].astype(np.int64) for x in (truth, prediction))
        pairs = np.bincount(true * len(ID) + said, minlength=len(ID) ** 2)
        self.counts += pairs.reshape(len(ID), len(ID))

    def _iou(self, names: Iterable[str]) -> float:
        ids = [ID[name] for name in names]
        both = self.counts[np.ix_(ids, ids)].sum()
        either = self.counts[ids].sum() + self.counts[:, ids].sum() - both
        return float(both / either) if either else math.nan

    def figures(self) -> dict[str, Any]:
        """IoU of every CIHP class and of every group, their mean, the clothed torso, pixel accuracy; NaN = absent."""
        groups = {group: self._iou(names) for group, names in GROUPS.items()}
        classes = {name: self._iou([name]) for name in ID}
        return {
            "mean_iou": float(np.nanmean(list(groups.values()))) if self.counts.any() else math.nan,
            "mean_class_iou": float(np.nanmean(list(classes.values()))) if self.counts.any() else math.nan,
            "clothed_torso_iou": self._iou(CLOTHED_TORSO),
            # Left and right count as different, top and coat too.
            "pixel_accuracy": float(np.trace(self.counts) / max(self.counts.sum(), 1)),
            "groups": groups,
            "classes": classes,
        }


def format_figures(columns: dict[str, dict[str, Any]], classes: bool = False) -> str:
    """Figures of several parsers side by side, for reading.

    Args:
        columns: title -> :meth:`ParsingScore.figures`.
        classes: every class of CIHP-20 too.
    """

    def row(title: str, values: Iterable[float]) -> tuple[str, ...]:
        return (title, *("-" if math.isnan(value) else f"{value:.3f}" for value in values))

    every: Sequence[dict[str, Any]] = list(columns.values())
    rows = [("IoU", *columns)]
    rows += [row(name, (figures["groups"][name] for figures in every)) for name in GROUPS]
    for key, title in (
        ("mean_iou", "mean"), ("clothed_torso_iou", "clothed torso"), ("pixel_accuracy", "pixel accuracy")
    ):  # fmt: skip
        rows.append(row(title, (figures[key] for figures in every)))
    if classes:
        rows += [("",), ("class", *columns)]
        rows += [row(name, (figures["classes"][name] for figures in every)) for name in ID]
        rows.append(row("mean of classes", (figures["mean_class_iou"] for figures in every)))
    return "\n".join("  ".join(cell.ljust(16) for cell in cells).rstrip() for cells in rows)
