"""The folder of a synthetic data set: which samples are whole in it, and how files get there and out of it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, OutputError, VTOError
from ..files import atomic_path
from . import layout
from .workers import parent_is_gone

FORMAT = "vto_utils synthetic try-on data, 1"
DATASET, MANIFEST, WRITING = "dataset.json", "manifest.txt", ".writing"
PAIRS = ("{}_pairs.txt", "{}_pairs_unpaired.txt")
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


@dataclass(frozen=True)
class Stored:
    """What is remembered of a sample that is whole on disk."""

    split: str
    category: str
    bytes: int


def read_dataset(folder: str | os.PathLike) -> dict[str, Any]:
    """What ``dataset.json`` says of a data set.

    Raises:
        InputError: the folder is none of a synthetic data set.
    """
    path = Path(folder).expanduser() / DATASET
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts["format"] != FORMAT:
            raise InputError(f"{path} says '{facts['format']}', which this version cannot read: make the set again.")
        return facts
    except FileNotFoundError:
        raise InputError(
            f"{folder} is no synthetic data set (there is no {DATASET} in it): "
            "make one with `python -m vto_utils synth`."
        ) from None
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, VTOError):
            raise
        raise InputError(f"{path} is damaged: remove the folder and make the data set again.") from error


def finished_samples(folder: Path) -> list[int]:
    """Indices of the whole samples in the folder of a split, in order."""
    try:
        found = (name.partition("_00.json") for name in os.listdir(folder / Path(layout.RECORD).parent))
        return sorted(int(number) for number, ending, rest in found if ending and not rest and number.isdigit())
    except FileNotFoundError:
        return []


def read_record(folder: Path, index: int) -> dict[str, Any]:
    """The record of a sample: index, name, split, category, keypoints, params, files."""
    path = folder / layout.RECORD.format(layout.names(index)[0])
    return json.loads(path.read_text(encoding="utf-8"))


# Samples --------------------------------------------------------------------------------------------


def store(root: Path, split: str, name: str, files: dict[str, bytes]) -> None:
    """Write files, whole or not at all, in their order."""
    folder = root / WRITING / f"{name}-{os.getpid()}"
    folder.mkdir()
    try:
        for number, content in enumerate(files.values()):
            (folder / str(number)).write_bytes(content)
        if parent_is_gone():  # and perhaps another run has begun
            raise EOFError
        for number, path in enumerate(files):
            os.replace(folder / str(number), root / split / path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def whole_samples(root: Path) -> dict[int, Stored]:
    """All samples that are whole, by index."""
    found = {index: split for split in layout.SPLITS for index in finished_samples(root / split)}
    samples = {index: whole_sample(root, index, split) for index, split in found.items()}
    return {index: sample for index, sample in samples.items() if sample}


def whole_sample(root: Path, index: int, split: str | None = None) -> Stored | None:
    """A sample of which every file is there with the size its record says; None if it is not whole."""
    for folder in (root / name for name in ((split,) if split else layout.SPLITS)):
        try:
            record = read_record(folder, index)
            sizes = {path: os.stat(folder / path).st_size for path in layout.paths(index)}
            own = sizes.pop(layout.RECORD.format(layout.names(index)[0]))
            if sizes == {path: size for path, (size, _) in record["files"].items()}:
                return Stored(folder.name, record["category"], own + sum(sizes.values()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return None


def remove(root: Path, index: int) -> None:
    """Remove all files of a sample."""
    for split in layout.SPLITS:
        for path in reversed(layout.paths(index)):  # the record first
            (root / split / path).unlink(missing_ok=True)


def sweep(root: Path, stored: Iterable[int]) -> None:
    """Remove what an interrupted run has left: unfinished samples, and files of samples without a record."""
    for entry in os.scandir(root / WRITING):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
    known = {f"{index:06d}" for index in stored}
    for split in layout.SPLITS:
        for folder in layout.FOLDERS:
            for entry in os.scandir(root / split / folder):
                number, _, rest = entry.name.partition("_")
                if number.isdigit() and rest[:2] in ("00", "01") and number not in known:
                    os.unlink(entry.path)


def write_manifest(root: Path, stored: dict[int, Stored]) -> None:
    """Write the sha256 of every file, in the order of the names, as ``sha256sum -c`` reads it."""
    lists = [name.format(split) for name in PAIRS for split in layout.SPLITS]
    lines = [(name, _sha256(root / name)) for name in (DATASET, *lists)]
    for index, sample in stored.items():
        path = layout.RECORD.format(layout.names(index)[0])
        files = {file: digest for file, (_, digest) in read_record(root / sample.split, index)["files"].items()}
        files[path] = _sha256(root / sample.split / path)
        lines += [(f"{sample.split}/{file}", digest) for file, digest in files.items()]
    write_text(root / MANIFEST, "".join(f"{digest}  {path}\n" for path, digest in sorted(lines)))


# The folder -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(root: Path) -> Iterator[None]:
    """Make the folder for unfinished samples and keep other runs out of it; it is removed at the end.

    Where the system or the disk cannot lock files, two runs at once are not noticed.
    """
    folder = root / WRITING
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "wb") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            pass
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise OutputError(f"Another run is writing into {root}: wait for its end.") from error
        try:
            yield
        finally:
            file.close()  # Windows does not remove an open file
            shutil.rmtree(folder, ignore_errors=True)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a file that appears whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def no_writing(root: Path, error: OSError) -> OutputError:
    """What to say of an error of the system while files were written."""
    if error.errno in _FULL:
        return OutputError(f"There is no room left on the disk of {root}: make room and start again to go on.")
    reason = f"{error.strerror or error}: {error.filename}" if error.filename else error.strerror or error
    return OutputError(f"Could not write into {root} ({reason}): see to that and start again to go on.")
