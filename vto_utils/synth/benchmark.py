"""How fast synthetic samples are made on this machine, and where the time goes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .samples import Generator, SynthConfig
    from .storage import Report

SIZES = ((256, 192), (512, 384))  # height, width


def measure(
    workers: int = 2,
    count: int = 40,
    sizes: Sequence[tuple[int, int]] = SIZES,
    generator: Callable[[SynthConfig], Generator] | None = None,
) -> dict[str, Any]:
    """Make data sets in a temporary folder, in fresh processes.

    A few samples are made first and not counted: they compile what is compiled once per machine.

    Args:
        workers: number of processes.
        count: samples per size.
        sizes: (height, width) of the pictures.
        generator: makes what ``samples.Generator`` makes; must be importable.

    Returns:
        {"what": one line, "columns": the sizes, "rows": [{"stage": ..., size: number or None}],
        "workers", "count"}. Rows in seconds are the mean of one sample in one worker.

    Raises:
        InputError: the count or the number of workers is below 1.
    """
    from ..errors import InputError
    from .samples import SynthConfig
    from .storage import write_dataset

    if workers < 1 or count < 1:
        raise InputError(f"Take at least 1 worker and 1 sample, not {workers} and {count}.")
    reports: dict[str, Report] = {}
    with tempfile.TemporaryDirectory(prefix="vto-bench-") as folder:
        for size in sizes:
            name = f"{size[0]}x{size[1]}"
            for seed, samples in ((1, workers), (0, count)):
                out = Path(folder) / f"{name}-{seed}"
                config = SynthConfig(size=size, seed=seed)
                report = write_dataset(config, out, samples, workers=workers, progress=False, generator=generator)
            reports[name] = report
    return {
        "what": f"pairs of a person and a garment, twice, per sample; {workers} processes, {count} samples per size; "
        "seconds are per sample and process",
        "columns": list(reports),
        "rows": _rows(reports),
        "workers": workers,
        "count": count,
    }


def _rows(reports: dict[str, Report]) -> list[dict[str, Any]]:
    stages = list(dict.fromkeys(stage for report in reports.values() for stage in report.stages))
    rows = [
        {"stage": stage}
        | {size: _rounded(report.stages[stage] / report.done) if stage in report.stages else None
           for size, report in reports.items()}
        for stage in stages
    ]  # fmt: skip
    for name, figure in (
        ("all stages, s", lambda report: sum(report.stages.values()) / report.done),
        ("samples/s", lambda report: report.done / report.seconds),
        ("start of a process, s", lambda report: report.startup),
        ("peak of a process, MiB", lambda report: report.peak_mib),
        ("one sample on disk, kB", lambda report: report.bytes / report.done / 1000),
    ):
        rows.append({"stage": name} | {size: _rounded(figure(report)) for size, report in reports.items()})
    return rows


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 4)
