"""Where a user's photos, results and checkpoints live: on Google Drive in Colab, in a local folder elsewhere.

The same two lines work in both places::

    workspace = open_workspace()
    offer_samples(workspace)
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from .errors import InputError, OutputError
from .files import atomic_path

# What a photo may end in; whether it can be read is for ``images.load_image`` to say, in words.
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp", ".tif", ".tiff", ".heic", ".heif")
LOCAL_FOLDER = "vto_workspace"


@dataclass(frozen=True)
class Workspace:
    """The folders of one project. All of them exist once ``open_workspace`` has returned."""

    root: Path
    persons: Path  # photos of people, put here by the user
    cloths: Path  # photos of garments, put here by the user
    checkpoints: Path  # what training writes
    results: Path  # what try-on and preprocessing write
    models: Path  # downloaded model files: the machine's cache, or Drive, where they outlive the session
    on_drive: bool  # kept by Google Drive: survives the end of a Colab session

    def person_files(self) -> list[Path]:
        """The person photos, sorted by name."""
        return image_files(self.persons)

    def cloth_files(self) -> list[Path]:
        """The garment photos, sorted by name."""
        return image_files(self.cloths)

    def person_file(self, name: str = "") -> Path:
        """The person photo of this file name; without a name, the first one.

        Raises:
            InputError: there is no such photo; the sentence lists those that are there.
        """
        return _choose(name, self.persons)

    def cloth_file(self, name: str = "") -> Path:
        """The garment photo of this file name; without a name, the first one. Raises as ``person_file``."""
        return _choose(name, self.cloths)


def image_files(folder: str | os.PathLike) -> list[Path]:
    """The image files directly in a folder, hidden ones left out, sorted by name without regard to case."""
    files = (path for path in Path(folder).iterdir() if path.suffix.lower() in PHOTO_SUFFIXES)
    return sorted(
        (path for path in files if path.is_file() and not path.name.startswith(".")),
        key=lambda path: (path.name.lower(), path.name),
    )


def _choose(name: str, folder: Path) -> Path:
    files = image_files(folder)
    for path in files:
        if not name or path.name == name:
            return path
    if not files:
        raise InputError(f"There is no photo in {folder}; put one there and run this again.")
    names = ", ".join(path.name for path in files)
    raise InputError(f"There is no {name} in {folder}; choose one of {names}.")


def in_colab() -> bool:
    """Whether this process runs on Google Colab.

    A Colab kernel has loaded ``google.colab`` before the first cell runs; a command started from a cell has
    not, and is told by the environment. ``importlib.util.find_spec("google.colab")`` is no test: it raises
    where no ``google`` package exists.
    """
    return sys.modules.get("google.colab") is not None or bool(os.environ.get("COLAB_RELEASE_TAG"))


def open_workspace(
    root: str | os.PathLike | None = None,
    mount_point: str | os.PathLike | None = None,
    folder: str = "VTO3",
) -> Workspace:
    """Choose the project's folder, create its tree and say in one sentence where it is.

    The environment variable ``VTO_WORKSPACE`` decides before ``root``, and ``root`` before everything else.
    With neither, on Colab, Google Drive is mounted and ``MyDrive/<folder>`` used. Everywhere else, and where
    Drive cannot be mounted or the user refuses, ``./vto_workspace`` is used.

    On Drive, ``VTO_CACHE`` is set for this process unless it is set already, so that model files are fetched
    once and not once per session.

    Args:
        root: the folder to use; created when missing.
        mount_point: where Drive is, or will be, mounted; ``VTO_DRIVE_MOUNT`` or ``/content/drive``.
        folder: the project's folder inside "My Drive".

    Raises:
        OutputError: the folder cannot be created or written.
    """
    chosen = os.environ.get("VTO_WORKSPACE") or root
    path, on_drive = Path(chosen or LOCAL_FOLDER), False
    if chosen:
        sentence = "Your files are in {path}."
    elif in_colab():
        mount = Path(mount_point or os.environ.get("VTO_DRIVE_MOUNT") or "/content/drive")
        problem = _mount_drive(mount)
        if problem is None:
            path, on_drive = mount / "MyDrive" / folder, True
            sentence = "Your files are on Google Drive, in {path}."
        else:
            sentence = (
                f"Google Drive is not available ({problem}), so your files are in "
                "{path}: download what you want to keep, Colab deletes it at the end of the session."
            )
    else:
        sentence = "This is not Colab, so your files are in {path}."
    workspace = _create(path.expanduser().absolute(), on_drive)
    print(sentence.replace("{path}", str(workspace.root)))
    return workspace


def offer_samples(workspace: Workspace, samples: str | os.PathLike | None = None) -> int:
    """Copy the sample photos into the workspace's input folders that are still empty.

    Args:
        workspace: an opened workspace.
        samples: a folder with ``person`` and ``cloth`` in it; the project's ``sample_images`` by default.

    Returns:
        the number of photos copied; 0 where the user's own photos are already there.

    Raises:
        InputError: the sample folder does not exist.
        OutputError: a photo could not be copied.
    """
    source = Path(samples) if samples else Path(__file__).resolve().parent.parent / "sample_images"
    if not source.is_dir():
        raise InputError(f"There is no folder {source} to take sample photos from.")
    copied = 0
    for target, offered in ((workspace.persons, source / "person"), (workspace.cloths, source / "cloth")):
        if image_files(target) or not offered.is_dir():
            continue
        for photo in image_files(offered):
            with atomic_path(target / photo.name) as temporary:
                temporary.write_bytes(photo.read_bytes())
            copied += 1
    return copied


def _mount_drive(mount: Path) -> str | None:
    """Mount Google Drive; None when it is mounted, else the reason why not, as a short phrase.

    Nothing is created below the mount point before: Drive refuses to mount over files.
    """
    if (mount / "MyDrive").is_dir():
        return None
    try:
        from google.colab import drive

        drive.mount(str(mount))
    except Exception as error:  # what Colab raises on refusal or failure is not a documented type
        lines = str(error).strip().splitlines()
        return lines[0].rstrip(".") if lines else type(error).__name__
    if not (mount / "MyDrive").is_dir():
        return "it did not appear after mounting"
    return None


def _create(root: Path, on_drive: bool) -> Workspace:
    from .assets import cache_dir

    names = ("persons", "cloths", "checkpoints", "results")
    fresh = not root.exists()
    try:
        for name in names:
            (root / name).mkdir(parents=True, exist_ok=True)
        if on_drive:
            os.environ.setdefault("VTO_CACHE", str(root / "models"))
        elif fresh:
            # Photos of people must not slip into a commit when the workspace lies inside a checkout.
            (root / ".gitignore").write_text("*\n", encoding="utf-8")
        cache_dir().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"Could not create the workspace folder {error.filename or root}: {error.strerror or error}. "
            "Choose another one with open_workspace(root=...) or VTO_WORKSPACE."
        ) from error
    return Workspace(root, *(root / name for name in names), models=cache_dir(), on_drive=on_drive)
