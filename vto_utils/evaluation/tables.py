"""Means of figures, as text tables and as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import atomic_path
from ..labels import CATEGORIES

_ALL = "all"


def summary(
    categories: Sequence[str], rows: Mapping[str, Sequence[Mapping[str, float | None]]], refused: Mapping[str, Sequence]
) -> dict[str, Any]:
    """Means over samples, by category and in total.

    Args:
        categories: of each sample.
        rows: variant -> figures of each sample; None where a figure cannot be told, which leaves the sample out of
            that mean.
        refused: variant -> names of the samples it refused.

    Returns:
        ``counts``: category -> number of samples, ``figures``: variant -> category -> figure -> mean or None, and
        ``refused``: variant -> names. The category ``all`` is the total; categories without samples are left out.
    """
    groups = {_ALL: list(range(len(categories)))}
    for category in CATEGORIES:
        members = [n for n, of_sample in enumerate(categories) if of_sample == category]
        if members:
            groups[category] = members
    figures = {
        name: {
            group: {figure: mean(of_samples[n][figure] for n in members) for figure in of_samples[0]}
            for group, members in groups.items()
        }
        for name, of_samples in rows.items()
        if of_samples
    }
    return {
        "counts": {group: len(members) for group, members in groups.items()},
        "figures": figures,
        "refused": {name: list(names) for name, names in refused.items()},
    }


def mean(values: Iterable[float | None]) -> float | None:
    """Of those that are known; None where none is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def format_figures(found: Mapping[str, Any]) -> str:
    """What :func:`summary` gives, for reading: a table for the total and one for each category."""
    from .measures import FIGURES

    blocks = []
    for group, count in found["counts"].items():
        rows = [(f"{group}, {count} samples", *FIGURES.values(), *(("refused",) if group == _ALL else ()))]
        for name, figures in found["figures"].items():
            last = (str(len(found["refused"][name])),) if group == _ALL else ()
            rows.append((name, *(_shown(key, figures[group][key]) for key in FIGURES), *last))
        blocks.append(rows)
    return _aligned(blocks)


def format_pairs(found: Mapping[str, Any]) -> str:
    """What ``pairs.FoundPairs.figures`` gives, for reading."""
    titles = {"ssim": "SSIM", "perceptual": "perceptual"}
    blocks = []
    for key, title in titles.items():
        rows = [(title, *found["figures"])]
        for pair in found["names"]:
            rows.append((pair, *(_shown(key, of[pair][key]) for of in found["figures"].values())))
        rows.append(("mean", *(_shown(key, of["mean"][key]) for of in found["figures"].values())))
        blocks.append(rows)
    return _aligned(blocks)


def _shown(figure: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if figure == "epe" else f"{value:.4f}" if figure in ("ssim", "ssim_box") else f"{value:.3f}"


def _aligned(blocks: Sequence[Sequence[Sequence[str]]]) -> str:
    """Tables under one another, their columns equally wide."""
    every = [row for rows in blocks for row in rows]
    widths = [max(len(row[n]) for row in every if n < len(row)) for n in range(max(map(len, every)))]

    def line(row: Sequence[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()

    return "\n\n".join("\n".join(map(line, rows)) for rows in blocks)


# JSON -----------------------------------------------------------------------------------------------


def weights_facts(weights: str | os.PathLike) -> dict[str, Any]:
    """Which networks: the name of their folder or file, and the sha256 of what is in it.

    Raises:
        InputError: the weights cannot be read.
    """
    path = Path(weights).expanduser()
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    try:
        return {"name": path.name, "sha256": {file.name: sha256(file.read_bytes()).hexdigest() for file in files}}
    except OSError as error:
        raise InputError(f"{path} could not be read ({error.strerror or error}): check the files.") from error


def versions() -> dict[str, str]:
    """Of what the figures depend on."""
    found = {"python": platform.python_version()}
    for name in ("torch", "torchmetrics", "numpy", "pillow"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def write_json(report: Mapping[str, Any], path: str | os.PathLike) -> None:
    """Write a report; the file appears whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
