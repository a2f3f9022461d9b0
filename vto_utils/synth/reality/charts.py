"""One picture of the statistics: what was made next to photographs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...pose import KEYPOINT_NAMES


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
