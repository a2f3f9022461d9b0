"""The figures of all samples together, as text and as sheets of those that come off worst."""

from __future__ import annotations

import base64
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from ...pose import KEYPOINT_NAMES
from .accuracy import JOINTS

#: What is asked for: name -> (least or most, value).
WANTED = {"found": ("least", 0.97), "joints": ("most", 5.0), "iou": ("least", 0.95), "difference": ("most", 4.0)}
_ELSEWHERE = 25.0  # % of the torso: key points this far off are of no person who is there
_WORST = 12


def pool(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, list[float]]]:
    """The values of all rows: group -> name -> values."""
    pooled: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        for group, values in row["values"].items():
            for name, found in values.items():
                pooled.setdefault(group, {}).setdefault(name, []).extend(found)
    return pooled


def distance(one: Sequence[float], two: Sequence[float]) -> float:
    """Wasserstein distance of two samples (the mean distance of their quantiles) in standard deviations (the quadratic
    mean of both)."""
    levels = (np.arange(1000) + 0.5) / 1000
    apart = np.abs(np.quantile(one, levels) - np.quantile(two, levels)).mean()
    return float(apart / max(np.sqrt((np.var(one) + np.var(two)) / 2), 1e-6))


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
        text += [
            "", "Mean +- deviation, median (count):", "",
            "| group | statistic | made | photographs | of | distance |", "|---|---|---|---|---|---|",
        ]  # fmt: skip
        for group, name, which, mine, real, apart in lines:
            text.append(f"| {group} | {name} | {_mean(mine)} | {_mean(real)} | {which} | {apart:.2f} |")
    else:
        text += ["", "Mean +- deviation, median (count):", "", "| group | statistic | made |", "|---|---|---|"]
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
    return f"{np.mean(values):.3g} +- {np.std(values):.2g}, {np.median(values):.3g} ({len(values)})"


def worst(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[tuple[str, str]]]:
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


def sheet(entries: Sequence[tuple[str, str]]) -> Image.Image:
    """A picture of one sheet of `worst`."""
    from ...plots import labelled_sheet

    pictures = [Image.open(io.BytesIO(base64.b64decode(content))) for content, _ in entries]
    return labelled_sheet(pictures, [label for _, label in entries], 6, (384, 288))
