"""Figures as tables for reading, and as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ..files import atomic_path


def format_report(report: Mapping[str, Any]) -> str:
    """What :func:`vto_utils.bench.run` gave as tables for reading."""
    facts = report["machine"]
    lines = [
        f"{facts['processor']}, {facts['cores']} cores, {facts['memory_gib']} GiB memory; {facts['system']}",
        f"Python {facts['python']}, " + ", ".join(f"{name} {version}" for name, version in facts["packages"].items()),
        "Threads: " + ", ".join(f"{name} {count}" for name, count in facts["threads"].items()),
    ]
    for name, figures in report["benchmarks"].items():
        lines += ["", f"{name}: {figures['what']}", *_table(figures)]
    return "\n".join(lines)


def write_json(report: Mapping[str, Any], path: str | os.PathLike) -> None:
    """Write what :func:`vto_utils.bench.run` gave; the file appears whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _table(figures: Mapping[str, Any]) -> list[str]:
    if "columns" in figures:
        columns = figures["columns"]
        cells = [("stage", *columns)]
        for row in figures["rows"]:
            cells.append((row["stage"], *("-" if row[name] is None else f"{row[name]:.4g}" for name in columns)))
        return _aligned(cells)
    cells = [("stage", "cold s", "peak MiB", "warm s", "peak MiB")]
    for row in figures["rows"]:
        line = [row["stage"]]
        for kind in ("cold", "warm"):
            figure = row[kind] or {"seconds": None, "peak_mib": None}
            line.append("-" if figure["seconds"] is None else f"{figure['seconds']:.3f}")
            line.append("-" if figure["peak_mib"] is None else f"{figure['peak_mib']:.0f}")
        cells.append(tuple(line))
    text = _aligned(cells)
    return [*text[:-1], text[1], text[-1]] if cells[-1][0] == "total" else text


def _aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table with a rule under its first one."""
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    text = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in cells]
    return [text[0], "-" * len(text[0]), *text[1:]]
