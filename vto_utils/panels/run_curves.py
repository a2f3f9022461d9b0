"""What became of training runs: their logs as one picture and one table.

A log is the ``log.jsonl`` of a run's folder (:mod:`vto_utils.training.store`): a line for each step and for each
validation.
"""

from __future__ import annotations

import io
import itertools
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from ..errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOG = "log.jsonl"
_DPI = 100
_POINTS = 400  # of a curve: more cannot be told apart in the picture
_SIZE = (340, 860)  # height, width in pixels
_MEASURES = ("garment_iou", "ssim", "layout_accuracy")
_TOLD = {"garment_iou": "overlap of the garment (IoU)", "ssim": "likeness (SSIM)", "layout_accuracy": "layout"}

Line = Mapping[str, Any]


def read_logs(folders: str | os.PathLike | Iterable[str | os.PathLike]) -> dict[str, list[dict[str, Any]]]:
    """The logs of several runs.

    Args:
        folders: runs, or one folder that holds runs.

    Returns:
        Name of the run's folder -> lines of its log, oldest run first; runs without a line are left out.
    """
    if isinstance(folders, (str, os.PathLike)):
        root = Path(folders)
        folders = [path.parent for path in (root / LOG, *root.glob(f"*/{LOG}")) if path.is_file()]
    paths = [Path(folder) / LOG for folder in folders]
    paths = sorted((path for path in paths if path.is_file()), key=lambda path: path.stat().st_mtime)
    found = {path.parent.name: _lines(path) for path in paths}
    return {name: lines for name, lines in found.items() if lines}


def _lines(path: Path) -> list[dict[str, Any]]:
    result = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:  # the line being written when the run was killed
            continue
        if isinstance(line, dict) and "step" in line:
            result.append(line)
    return result


def draw_curves(runs: Mapping[str, Sequence[Line]], title: str = "") -> Image.Image:
    """Loss, and what the validations found, of one run or of several.

    The thin line is each step, or the mean of a few where there are many; the dots are validations. Stages weigh
    different losses, so that a curve jumps where a stage begins: a dotted line stands there if one run is shown.

    Args:
        runs: name -> lines as :func:`read_logs` gives them.
        title: above the picture.

    Returns:
        PIL RGB image.

    Raises:
        InputError: no run has a line.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    runs = {name: lines for name, lines in runs.items() if lines}
    if not runs:
        raise InputError("There is no log of a training to draw: train first.")
    figure = Figure(figsize=(_SIZE[1] / _DPI, _SIZE[0] / _DPI), dpi=_DPI, layout="constrained")
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [3, 2]})
    measure = next((name for name in _MEASURES if any(_validated(lines, name) for lines in runs.values())), None)
    for number, (name, lines) in enumerate(runs.items()):
        _draw_run(left, right, name, lines, f"C{number}", measure, len(runs) == 1)
    left.set(xlabel="step", ylabel="loss", title="Training (line) and validation (dots)")
    if any(line.get("loss", math.nan) > 0 for lines in runs.values() for line in lines):
        left.set_yscale("log")  # without a point it has no range
    told = _TOLD.get(measure or "", "")
    right.set(xlabel="step", title=f"Validation: {told}" if measure else "No validation yet")
    if measure:
        right.set_ylim(0, 1)
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        axes.title.set_fontsize(10)
        axes.grid(alpha=0.3)
    if left.get_legend_handles_labels()[0]:
        left.legend(frameon=False, fontsize=8)
    if title:
        figure.suptitle(title, fontsize=11)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return Image.open(buffer).convert("RGB")


def _draw_run(
    left: Axes, right: Axes, name: str, lines: Sequence[Line], colour: str, measure: str | None, alone: bool
) -> None:
    steps = [line for line in lines if "loss" in line]
    first = True
    for stage, group in itertools.groupby(steps, key=lambda line: line.get("stage", 0)):
        points = [(line["step"], line["loss"]) for line in group]
        xs, ys = zip(*_thinned(points), strict=True)
        left.plot(
            xs, ys, color=colour, lw=1, alpha=0.8, marker="." if len(xs) == 1 else None, label=name if first else None
        )
        if alone and not first:
            left.axvline(points[0][0], color="0.6", ls=":", lw=1)
        if alone:
            left.text(
                points[0][0],
                1.0,
                f" stage {stage + 1}",
                fontsize=7,
                va="top",
                transform=left.get_xaxis_transform(),
                in_layout=False,
            )
        first = False
    for axes, figure in ((left, "loss"), (right, measure)):
        points = _validated(lines, figure) if figure else []
        if points:
            xs, ys = zip(*points, strict=True)
            style = {"ls": "none"} if axes is left else {"lw": 1}
            axes.plot(xs, ys, color=colour, marker="o", ms=4, **style)


def _validated(lines: Iterable[Line], figure: str) -> list[tuple[int, float]]:
    return [(line["step"], line["validation"][figure]) for line in lines if figure in line.get("validation", ())]


def _thinned(points: Sequence[tuple[int, float]]) -> list[tuple[float, float]]:
    """At most so many points, each the mean of its neighbours; figures that are no numbers are left out."""
    points = [point for point in points if math.isfinite(point[1])] or [(points[0][0], math.nan)]
    size = -(-len(points) // _POINTS)
    parts = (points[start : start + size] for start in range(0, len(points), size))
    return [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts]


def run_table(runs: Mapping[str, Sequence[Line]]) -> str:
    """A line of text for each run: how far it came, how long that took, and its best validation in its last stage."""
    rows = [("run", "steps", "minutes", "last loss", "best validation", "at step", "what it measured")]
    for name, lines in runs.items():
        steps = [line for line in lines if "loss" in line]
        minutes = sum(line.get("seconds", 0.0) for line in steps) / 60
        last = max((line.get("stage", 0) for line in lines), default=0)
        of_stage = [line for line in lines if "validation" in line and line.get("stage", 0) == last]
        row = [
            name,
            str(steps[-1]["step"] if steps else 0),
            f"{minutes:.1f}",
            f"{steps[-1]['loss']:.4f}" if steps else "",
        ]
        if of_stage:
            best = min(of_stage, key=lambda line: line["validation"].get("loss", math.inf))
            found = best["validation"]
            told = ", ".join(
                f"{key} {found[key]:.3f}" for key in ("garment_iou", "epe", "l1_inside", "ssim") if key in found
            )
            row += [f"{found.get('loss', math.nan):.4f}", str(best["step"]), told]
        else:
            row += ["", "", ""]
        rows.append(tuple(row))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
