"""The runs that are there already, wherever they lie: in this machine's folder, or in a copy on Google Drive."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .config import TrainConfig
from .store import CONFIG, LOG, PICTURES, RunFolder


@dataclass(frozen=True)
class FoundRun:
    """A run, as its folder tells without loading anything large."""

    name: str
    folder: Path
    config: TrainConfig
    sources: Sequence[str]
    step: int  # of the newest checkpoint: what a run that goes on begins with
    changed: float  # seconds since 1970: the last sign of life

    @property
    def finished(self) -> bool:
        return self.step >= self.config.steps

    @property
    def label(self) -> str:
        """For people: "first: step 40 of 110, 3 minutes ago"."""
        state = "finished" if self.finished else f"step {self.step} of {self.config.steps}"
        return f"{self.name}: {state}, {_ago(time.time() - self.changed)}"

    def picture(self) -> Path | None:
        """The newest sample grid; copies have none."""
        return next(iter(sorted((self.folder / PICTURES).glob("[0-9]*.png"), reverse=True)), None)


def find_runs(roots: Iterable[str | os.PathLike]) -> list[FoundRun]:
    """The runs in the folders directly below some others, the latest first.

    Args:
        roots: where to look. A run that is found under the same name in several counts where it came farthest, and
            in the first of these.
    """
    found: dict[str, FoundRun] = {}
    for root in roots:
        for path in sorted(Path(root).glob(f"*/{CONFIG}")):
            run = _read(path.parent)
            if run is not None and (run.name not in found or run.step > found[run.name].step):
                found[run.name] = run
    return sorted(found.values(), key=lambda run: -run.changed)


def free_name(name: str, config: TrainConfig, sources: Sequence[str], runs: Iterable[FoundRun]) -> str:
    """The first of name, name-2, name-3, ... that is of no other run: free, or of one with these settings and data."""
    there = {run.name: run for run in runs}
    for number in itertools.count(1):
        tried = name if number == 1 else f"{name}-{number}"
        run = there.get(tried)
        if run is None or (run.config.identity() == config.identity() and list(run.sources) == list(sources)):
            return tried


def _read(path: Path) -> FoundRun | None:
    folder = RunFolder(path)
    saved = folder.checkpoints()
    if not saved and not (path / LOG).is_file():
        return None  # networks, or another folder with settings in it
    try:
        described = folder.description()
    except InputError:
        return None
    if described is None:
        return None
    times = [file.stat().st_mtime for file in (*saved[-1:], path / LOG) if file.is_file()]
    return FoundRun(path.name, path, *described, step=int(saved[-1].stem) if saved else 0, changed=max(times))


def _ago(seconds: float) -> str:
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"
