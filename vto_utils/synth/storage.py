"""A synthetic data set on disk: made by several processes, continued where it was stopped.

::

    OUT/train/..., OUT/test/...      the samples: see the module layout for the names
    OUT/train_pairs.txt              lines "PERSON.jpg GARMENT.jpg": each person with the garment it wears
    OUT/train_pairs_unpaired.txt     each person with the other garment; image-swap shows the truth
    OUT/test_pairs.txt, OUT/test_pairs_unpaired.txt      the same of the held-out samples
    OUT/dataset.json                 what the set was made from, how many samples, names of labels and key points
    OUT/manifest.txt                 sha256 of every file, for `sha256sum -c manifest.txt`; only of a finished run

A sample is written into the hidden folder ``OUT/.writing`` and then moved to its place file by file, its record
last, so a sample with a record is whole however a run ended. A run starts by removing what has no record.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from .. import __version__, labels
from ..errors import InputError, OutputError, VTOError
from ..images import check_writable, save_image
from ..pose import KEYPOINT_NAMES
from . import layout, records
from .workers import Done, Ended, Ready, WorkError, work

if TYPE_CHECKING:
    from .samples import Generator, SynthConfig

MAX_COUNT = 1_000_000  # file names have six digits
_SETTINGS = ("seed", "size", "held_out", "category")
_UNIT = 64  # pixels; networks halve a picture several times
_PREVIEW = (60, 5, (192, 576))  # samples, per row, (height, width) of the four pictures of one


@dataclass(frozen=True)
class Report:
    """What a run did.

    Attributes:
        folder: of the data set.
        done: samples made in this run.
        skipped: samples that were there before.
        splits: samples in the folder by split.
        seconds: from the first worker's being ready to the end of the last sample.
        startup: seconds until the first worker was ready.
        bytes: size of all samples in the folder.
        stages: seconds by stage, of all workers together; what the generator tells, encoding and writing.
        peak_mib: largest resident memory of a worker in MiB; None where the system does not tell.
        notes: sentences on what was done without.
    """

    folder: Path
    done: int
    skipped: int
    splits: dict[str, int]
    seconds: float
    startup: float
    bytes: int
    stages: dict[str, float]
    peak_mib: float | None
    notes: tuple[str, ...]


def write_dataset(
    config: SynthConfig,
    out: str | os.PathLike,
    count: int,
    *,
    workers: int = 1,
    progress: bool = True,
    preview: str | os.PathLike | None = None,
    generator: Callable[[SynthConfig], Generator] | None = None,
) -> Report:
    """Write the samples 0 .. count - 1 of a synthetic data set; continue where an earlier run stopped.

    Samples that are there, whole as their records say, are not made again. The files are the same, byte by
    byte, whatever the number of workers and whether the run was stopped in between. Ctrl-C, a full disk or a
    failing worker keep the samples finished so far.

    Args:
        config: what to make.
        out: folder of the data set, created when missing. A script that calls this with ``workers`` above 0
            must do so under ``if __name__ == "__main__":``, as always with processes; notebooks need nothing.
        count: how many samples there shall be; those beyond it that exist already are left.
        workers: processes to make samples; 0 makes them in this process.
        progress: show a progress bar with rate and time left, and warnings.
        preview: picture file to write at the end: up to 60 samples, each as person and garment twice.
        generator: makes what ``samples.Generator`` makes; must be importable.

    Raises:
        InputError: an argument cannot be used, or ``out`` holds other data.
        OutputError: ``out`` cannot be written, the disk is full, or a sample could not be made.
    """
    _check(config, count, workers)
    if preview is not None:
        check_writable(preview)
    root = Path(out).expanduser()
    before = _check_folder(root, config)
    try:
        with records.locked(root):
            return _Run(config, root, count, before, progress).run(workers, generator, preview)
    except OSError as error:
        raise records.no_writing(root, error) from error


def check_size(size: tuple[int, int]) -> None:
    """Raise InputError if pictures of (height, width) pixels cannot be made."""
    height, width = size
    if min(size) < 1 or height * 3 != width * 4 or height % _UNIT:
        raise InputError(
            f"The size {height}x{width} (height x width) cannot be used: the height must be 4/3 of the width and a "
            f"multiple of {_UNIT}, as in 256x192, 512x384 or 1024x768."
        )


# Before anything is made ----------------------------------------------------------------------------


def _check(config: SynthConfig, count: int, workers: int) -> None:
    check_size(config.size)
    if not 1 <= count <= MAX_COUNT:
        raise InputError(f"The count {count} cannot be used: ask for 1 to {MAX_COUNT} samples.")
    if workers < 0:
        raise InputError(f"The number of workers {workers} cannot be used: take 1 or more, or 0 for this process.")
    if config.seed < 0:
        raise InputError(f"The seed {config.seed} cannot be used: take a whole number from 0.")
    if not 0 <= config.held_out <= 1:
        raise InputError(f"The held-out share {config.held_out} cannot be used: take a number from 0 to 1.")


def _settings(config: SynthConfig) -> dict[str, Any]:
    return json.loads(json.dumps({name: getattr(config, name) for name in _SETTINGS}))


def _check_folder(root: Path, config: SynthConfig) -> dict[str, Any] | None:
    """What ``dataset.json`` says, None if there is no sample yet; an error if the folder must not be written."""
    if root.exists() and not root.is_dir():
        raise OutputError(f"{root} is a file: choose a folder for the data set.")
    check_writable(root / records.DATASET, suffixes=None)
    if not root.is_dir():
        return None
    if not (root / records.DATASET).exists():
        if any(path.name != records.WRITING for path in root.iterdir()):
            raise OutputError(f"{root} holds other files: choose a new or empty folder, so that nothing is mixed.")
        return None
    before = records.read_dataset(root)
    if not any(records.finished_samples(root / split) for split in layout.SPLITS):
        return None  # a run that was stopped before its first sample binds nobody
    differences = [
        f"{name.replace('_', '-')} {_text(before.get(name))}, not {_text(value)}"
        for name, value in _settings(config).items()
        if before.get(name) != value
    ]
    if differences:
        raise _other_data(root, ", ".join(differences))
    return before


def _text(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, list) else str(value)


def _other_data(root: Path, what: str) -> OutputError:
    return OutputError(f"{root} holds data made with {what}: choose another folder, or ask for what is there.")


# Making ---------------------------------------------------------------------------------------------


class _Maker:
    """The job of a worker: makes samples and writes them."""

    def __init__(
        self, config: SynthConfig, root: Path, generator: Callable[[SynthConfig], Generator] | None = None
    ) -> None:
        if generator is None:
            from .samples import Generator as generator
        self._generator = generator(config)
        self._root = root
        self._stages = {"encode": 0.0, "write": 0.0}

    def hello(self) -> tuple[str, tuple[str, ...]]:
        return self._generator.fingerprint, tuple(self._generator.notes)

    def __call__(self, index: int) -> records.Stored:
        sample = self._generator.sample(index)
        start = time.perf_counter()
        files = layout.encode(sample)
        record = _record(sample, files)
        encoded = time.perf_counter()
        try:
            records.store(self._root, sample.split, layout.names(index)[0], files | record)
        except OSError as error:
            raise records.no_writing(self._root, error) from error
        self._stages["encode"] += encoded - start
        self._stages["write"] += time.perf_counter() - encoded
        return records.Stored(sample.split, sample.category, sum(map(len, (files | record).values())))

    def summary(self) -> tuple[dict[str, float], float | None]:
        from ..bench import peak_memory

        return {**getattr(self._generator, "timings", {}), **self._stages}, peak_memory()


def _record(sample: Any, files: dict[str, bytes]) -> dict[str, bytes]:
    first, second = layout.names(sample.index)
    content = {
        "index": sample.index,
        "name": first,
        "name_swap": second,
        "split": sample.split,
        "category": sample.category,
        "keypoints": sample.keypoints.astype(float).round(3).tolist(),
        "params": sample.params,
        "files": {path: [len(data), hashlib.sha256(data).hexdigest()] for path, data in files.items()},
    }
    return {layout.RECORD.format(first): (json.dumps(content, default=_plain) + "\n").encode()}


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else str(value)


class _Run:
    """One run of :func:`write_dataset`."""

    def __init__(
        self, config: SynthConfig, root: Path, count: int, before: dict[str, Any] | None, progress: bool
    ) -> None:
        self.config, self.root, self.count, self.before, self.progress = config, root, count, before, progress
        self.stored: dict[int, records.Stored] = {}
        self.notes: list[str] = []
        self.stages: Counter[str] = Counter()
        self.peaks: list[float] = []
        self.fingerprint: str | None = None
        self.changed = False

    def run(
        self, workers: int, generator: Callable[[SynthConfig], Generator] | None, preview: str | os.PathLike | None
    ) -> Report:
        from tqdm.auto import tqdm

        begun = time.perf_counter()
        self.stored = records.whole_samples(self.root)
        todo = [index for index in range(self.count) if index not in self.stored]
        skipped = self.count - len(todo)
        self._check_room(len(todo))
        started = ended = None
        bar = tqdm(
            total=self.count, initial=skipped, unit="sample", desc="Making samples", disable=not self.progress,
            bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_noinv_fmt}]",
        )  # fmt: skip
        events = work(_Maker, (self.config, self.root, generator), todo, min(workers, max(1, len(todo))))
        try:
            with contextlib.closing(events), contextlib.closing(bar):
                for event in events:
                    if isinstance(event, Ready):
                        started = started or time.perf_counter()
                        self._greet(event, bool(todo), bar)
                    elif isinstance(event, Done):
                        self.stored[event.number] = event.result
                        ended = time.perf_counter()
                        bar.update()
                    elif isinstance(event, Ended):
                        self._finish_worker(event)
        except BaseException as error:
            self._tidy_up(todo, workers)
            if isinstance(error, WorkError):
                raise self._explained(error) from error.error
            raise
        if self.changed or not (self.root / records.MANIFEST).exists():
            self._write_lists()
            records.write_manifest(self.root, self.stored)
        if preview is not None:
            save_image(_contact_sheet(self.root, self.stored), preview)
        return Report(
            folder=self.root,
            done=len(todo),
            skipped=skipped,
            splits=self._splits(),
            seconds=(ended or started) - started,
            startup=started - begun,
            bytes=sum(sample.bytes for sample in self.stored.values()),
            stages=dict(self.stages),
            peak_mib=max(self.peaks, default=None),
            notes=tuple(self.notes),
        )

    def _greet(self, event: Ready, work_follows: bool, bar: Any) -> None:
        """Take notice of a worker's being ready, and prepare the folder for it the first time."""
        fingerprint, notes = event.hello
        for note in notes:
            self._note(note, bar)
        if self.fingerprint is not None:
            return
        self.fingerprint = fingerprint
        if self.before is not None and self.before.get("fingerprint") != fingerprint:
            raise _other_data(self.root, f"{self.before.get('fingerprint')}, not {fingerprint}")
        if work_follows:
            self.changed = True
            (self.root / records.MANIFEST).unlink(missing_ok=True)  # it is about to become incomplete
            self._write_facts()
            for split in layout.SPLITS:
                for folder in layout.FOLDERS:
                    (self.root / split / folder).mkdir(parents=True, exist_ok=True)
            records.sweep(self.root, self.stored)

    def _note(self, note: str, bar: Any) -> None:
        if note not in self.notes:
            self.notes.append(note)
            if self.progress:
                bar.write(f"Note: {note}", file=sys.stderr)

    def _finish_worker(self, event: Ended) -> None:
        stages, peak = event.summary
        self.stages.update(stages)
        if peak is not None:
            self.peaks.append(peak)

    def _check_room(self, missing: int) -> None:
        known = sum(sample.bytes for sample in self.stored.values())
        height, width = self.config.size
        # With some room for the blocks that files are rounded up to; without experience, a little less than usual.
        each = known / len(self.stored) + 40_000 if self.stored else 3 * height * width + 80_000
        free = shutil.disk_usage(self.root).free
        if missing * each > free:
            raise OutputError(
                f"There is not enough room on the disk of {self.root}: {missing} more samples need about "
                f"{missing * each / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; make room or ask for fewer."
            )

    def _splits(self) -> dict[str, int]:
        counted = Counter(sample.split for sample in self.stored.values())
        return {split: counted[split] for split in layout.SPLITS}

    def _write_facts(self) -> None:
        categories = Counter(sample.category for sample in self.stored.values())
        facts = {
            "format": records.FORMAT,
            "fingerprint": self.fingerprint,
            **_settings(self.config),
            "count": len(self.stored),
            "splits": self._splits(),
            "categories": {category: categories[category] for category in labels.CATEGORIES},
            "labels": labels.NAMES,
            "keypoints": KEYPOINT_NAMES,
            "versions": _versions(),
        }
        records.write_text(self.root / records.DATASET, json.dumps(facts, indent=1) + "\n")

    def _write_lists(self) -> None:
        """``dataset.json`` and the lists of pairs, of what is there now."""
        self._write_facts()
        for split in layout.SPLITS:
            pairs = [layout.names(index) for index in sorted(self.stored) if self.stored[index].split == split]
            for name, other in zip(records.PAIRS, (0, 1), strict=True):
                lines = "".join(f"{pair[0]}.jpg {pair[other]}.jpg\n" for pair in pairs)
                records.write_text(self.root / name.format(split), lines)

    def _tidy_up(self, todo: list[int], workers: int) -> None:
        """After a run that did not reach its end: remove what was begun and list what is whole."""
        if not self.changed:
            return
        done = sum(index in self.stored for index in todo)
        with contextlib.suppress(OSError, VTOError):  # a full disk is what may have brought us here
            for index in todo[: done + max(1, workers)]:
                if index not in self.stored:
                    stored = records.whole_sample(self.root, index)
                    if stored:
                        self.stored[index] = stored
                    else:
                        records.remove(self.root, index)
            self._write_lists()

    def _explained(self, failure: WorkError) -> VTOError:
        error, kept = failure.error, f"{len(self.stored)} of {self.count} samples are finished and kept"
        what = "a worker" if failure.number is None else f"sample {failure.number}"
        if isinstance(error, VTOError) and failure.number is None:
            return error
        if isinstance(error, OutputError):
            return OutputError(f"{str(error).rstrip('.')}; {kept}.")
        if isinstance(error, MemoryError):
            return OutputError(f"There was not enough memory for {what}: use fewer workers or a smaller size; {kept}.")
        if error is None:
            hint = "often a sign of too little memory: use fewer workers"
            if failure.number is None:
                hint = 'in a script, call write_dataset under `if __name__ == "__main__":`'
            return OutputError(f"The process of {what} died (exit code {failure.exit_code}; {hint}); {kept}.")
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else "no details"
        kind = "" if type(error).__name__ in reason or isinstance(error, VTOError) else f"{type(error).__name__}: "
        return OutputError(f"There is a fault with {what} ({kind}{reason.rstrip('.')}); {kept}.")


def _versions() -> dict[str, str]:
    versions = {"vto_utils": __version__}
    for name in ("numpy", "scipy", "numba", "opencv-python", "opencv-python-headless", "pillow"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def _contact_sheet(root: Path, stored: dict[int, records.Stored]) -> Image.Image:
    """Some samples, evenly over the data set, as person, garment, person in the other one, that garment."""
    from ..plots import labelled_sheet

    most, columns, cell = _PREVIEW
    indices = sorted(stored)
    chosen = [indices[place * len(indices) // min(most, len(indices))] for place in range(min(most, len(indices)))]
    rows = []
    for index in chosen:
        wanted = ("image", "cloth", "image_swap", "cloth_swap")
        fields = layout.decode(root / stored[index].split, index, wanted)
        rows.append(Image.fromarray(np.concatenate([fields[name] for name in wanted], 1)))
    names = [f"{index} {stored[index].category} {stored[index].split}" for index in chosen]
    return labelled_sheet(rows, names, columns, cell)
