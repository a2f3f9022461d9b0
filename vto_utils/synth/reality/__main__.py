"""``python -m vto_utils.synth.reality``: measure, write the report, print it."""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import InputError, VTOError
from ...files import atomic_path
from ..workers import Done, WorkError, work
from .charts import statistics_picture
from .examine import Examiner, Stored
from .photographs import measure_photos
from .report import compare, pool, report_text, sheet, summarise, worst

if TYPE_CHECKING:
    from ..samples import SynthConfig


def _parser() -> argparse.ArgumentParser:
    from ..command import _size, _whole

    parser = argparse.ArgumentParser(
        prog="python -m vto_utils.synth.reality", description="Measure how real models see the synthetic data."
    )
    parser.add_argument("data", nargs="?", metavar="DATA", help="folder of a data set; without it samples are made")
    parser.add_argument("--count", type=_whole, default=100, metavar="N", help="samples to look at (default: 100)")
    parser.add_argument("--seed", type=_whole, default=0, metavar="S", help="of samples that are made (default: 0)")
    parser.add_argument("--size", type=_size, default=(512, 384), metavar="HxW", help="likewise (default: 512x384)")
    parser.add_argument("--workers", type=_whole, default=1, metavar="K", help="processes; 0: this one (default: 1)")
    parser.add_argument("--real", metavar="DIR", help="folder with real photographs to compare with")
    parser.add_argument("--out", default="reality", metavar="DIR", help="folder for the report (default: reality)")
    return parser


def measure(source: SynthConfig | Path, indices: Sequence[int], workers: int = 1) -> list[dict[str, Any]]:
    """Examine samples, with a progress bar.

    Args:
        source: what to make, or the folder of a data set.
        indices: of the samples.
        workers: processes; 0 uses this one.
    """
    from tqdm.auto import tqdm

    rows = {}
    events = work(Examiner, (source,), indices, min(workers, len(indices)))
    with tqdm(total=len(indices), unit="sample", desc="Looking at samples") as bar:
        for event in events:
            if isinstance(event, Done):
                rows[event.number] = event.result
                bar.update()
    return [rows[index] for index in sorted(rows)]


def run(options: argparse.Namespace) -> int:
    """Measure, write the report, print it."""
    from ..storage import check_size

    out = Path(options.out).expanduser()
    if options.count < 1 or options.workers < 0:
        raise InputError("The count must be 1 or more, and the number of workers not negative.")
    if options.data:
        source: SynthConfig | Path = Path(options.data).expanduser()
        indices = Stored(source).indices()[: options.count]
        if not indices:
            raise InputError(f"There is no sample in {source}: make some with `python -m vto_utils synth`.")
    else:
        from ..samples import SynthConfig

        check_size(options.size)
        source, indices = SynthConfig(size=options.size, seed=options.seed), list(range(options.count))
    out.mkdir(parents=True, exist_ok=True)
    photos = {}
    if options.real:
        known = out / "photographs.json"  # they do not change from run to run
        if known.exists():
            photos = json.loads(known.read_text(encoding="utf-8"))
        else:
            photos = measure_photos(Path(options.real).expanduser())
            _write_json(known, photos)
    try:
        rows = measure(source, indices, options.workers)
    except WorkError as error:
        if isinstance(error.error, VTOError):
            raise error.error from error
        raise
    made, summary = pool(rows), summarise(rows)
    points: dict[str, list] = defaultdict(list)
    for row in rows:
        for group in ("tops worn", "full length"):
            if group in row["values"] and row["points"]:
                points[group].append(row["points"])
    text = report_text(summary, compare(made, photos), made)
    with atomic_path(out / "report.md") as path:
        path.write_text(text, encoding="utf-8")
    for name, entries in worst(rows).items():
        with atomic_path(out / f"{name}.png") as path:
            sheet(entries).save(path, "PNG")
    with atomic_path(out / "statistics.png") as path:
        statistics_picture(made, points, photos).savefig(path, dpi=90, format="png")
    plain = [{key: value for key, value in row.items() if key != "sheets"} for row in rows]
    _write_json(out / "rows.json", {"summary": summary, "rows": plain})
    print(text)
    print(f"Look at {out}: report.md, statistics.png, worst-people.png, worst-flats.png, worst-poses.png.")
    return 0


def _write_json(path: Path, content: Any) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, default=float) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    try:
        return run(_parser().parse_args(arguments))
    except VTOError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
