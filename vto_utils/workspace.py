"""Where a user's photos, results and checkpoints live: on Google Drive in Colab, in a local folder elsewhere.

The same two lines work in both places::

    workspace = open_workspace()
    offer_samples(workspace)
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .assets import cache_dir
from .errors import InputError, OutputError
from .files import atomic_path

# What a photo may end in; whether it can be read is for ``images.load_image`` to say, in words.
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp", ".tif", ".tiff", ".heic", ".heif")
LOCAL_FOLDER = "vto_workspace"

_FOLDERS = ("persons", "cloths", "checkpoints", "results")
_DRIVE_CACHE = "VTO_DRIVE_CACHE"  # the VTO_CACHE that open_workspace set; inherited by commands started from a cell
_PROBE_BYTES = 1 << 16


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
    Drive cannot be mounted or written, has vanished or is refused, ``./vto_workspace`` is used. Nothing that is
    already there is overwritten, and it may be called again at any time: what became of Drive is looked at anew.

    On Drive, ``VTO_CACHE`` is set for this process unless it is set already, so that model files are fetched
    once and not once per session. When Drive is gone at a later call, that setting is taken back.

    Args:
        root: the folder to use; created when missing.
        mount_point: where Drive is, or will be, mounted; ``VTO_DRIVE_MOUNT`` or ``/content/drive``.
        folder: the project's folder inside "My Drive".

    Raises:
        OutputError: the chosen folder, the local one or that of the model files cannot be created or written.
    """
    chosen = os.environ.get("VTO_WORKSPACE") or root
    if not chosen and in_colab():
        mount = Path(mount_point or os.environ.get("VTO_DRIVE_MOUNT") or "/content/drive")
        drive, problem = _on_drive(mount, folder)
        if drive is not None:
            print(f"Your files are on Google Drive, in {drive.root}.")
            return drive
        _forget_drive_cache()
        workspace = _create(_local_folder(mount))
        print(
            f"Google Drive is not available ({problem}), so your files are in {workspace.root}: download what you "
            "want to keep, Colab deletes it at the end of the session; or put that right and run this cell again."
        )
        return workspace
    workspace = _create(Path(chosen or LOCAL_FOLDER).expanduser())
    print(f"{'Your' if chosen else 'This is not Colab, so your'} files are in {workspace.root}.")
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


def _on_drive(mount: Path, folder: str) -> tuple[Workspace | None, str]:
    """The workspace on Drive, or None and a short phrase that says why there is none."""
    try:
        problem = _mount_drive(mount)
        if problem is not None:
            return None, problem
        root = mount / "MyDrive" / folder
        _make_folders(root)
        ours = str(root / "models")
        _forget_drive_cache(only_lost=True)
        if not os.environ.get("VTO_CACHE"):
            # Remembered beside it, so that only what was set here is ever taken back.
            os.environ["VTO_CACHE"] = os.environ[_DRIVE_CACHE] = ours
        return _workspace(root, on_drive=True), ""
    except OSError as error:
        return None, _reason(error)


def _mount_drive(mount: Path) -> str | None:
    """Mount Google Drive; None when it is mounted, else the reason why not, as a short phrase.

    Nothing is created below the mount point before: Drive refuses to mount over files. ``os.path.isdir`` says no
    where ``Path.is_dir`` raises: below a mount point whose file system has died.
    """
    # Both names are Drive's own. A single one may be what a program wrote there after Drive had vanished.
    if os.path.isdir(mount / "MyDrive") and os.path.isdir(mount / "My Drive"):
        return None
    try:
        from google.colab import drive

        drive.mount(str(mount))
    except Exception as error:  # what Colab raises on refusal or failure is not a documented type
        lines = str(error).strip().splitlines()
        return lines[0].rstrip(".") if lines else type(error).__name__
    if not os.path.isdir(mount / "MyDrive"):
        return "it did not appear after mounting"
    return None


def _local_folder(mount: Path) -> Path:
    """The fallback beside the notebook, but never in a working folder that lies on the Drive just found unusable."""
    try:
        here = Path.cwd()
    except OSError:  # the working folder has gone with its file system
        here = mount
    return (mount.parent if here == mount or mount in here.parents else here) / LOCAL_FOLDER


def _forget_drive_cache(only_lost: bool = False) -> None:
    """Take back the ``VTO_CACHE`` that was set for a Drive, or only one that has vanished; the user's own stays."""
    ours = os.environ.get(_DRIVE_CACHE)
    if ours and not (only_lost and os.path.isdir(ours)):
        del os.environ[_DRIVE_CACHE]
        if os.environ.get("VTO_CACHE") == ours:
            del os.environ["VTO_CACHE"]


def _create(root: Path) -> Workspace:
    """The workspace in a local folder; what stands in the way is one sentence."""
    try:
        root = root.absolute()
        fresh = not root.exists()
        _make_folders(root)
        if fresh:
            # Photos of people must not slip into a commit when the workspace lies inside a checkout.
            (root / ".gitignore").write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"Could not create the workspace folder {error.filename or root}: {error.strerror or error}. "
            "Choose another one with open_workspace(root=...) or VTO_WORKSPACE."
        ) from error
    _forget_drive_cache(only_lost=True)
    try:
        return _workspace(root, on_drive=False)
    except OSError as error:
        raise OutputError(
            f"Could not create the folder of the model files {cache_dir()}: {error.strerror or error}. "
            "Set VTO_CACHE to a folder you can write."
        ) from error


def _make_folders(root: Path) -> None:
    """Create what is missing of the tree and prove that a file can be written there; OSError where it cannot."""
    for name in _FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    # A folder that exists says nothing: the disk may be full, or Drive mounted for reading only. A full disk
    # lets an empty file be made, so bytes are written; closing the file brings out what a mount reports late.
    with tempfile.NamedTemporaryFile(prefix=".probe-", dir=root) as probe:
        probe.write(bytes(_PROBE_BYTES))


def _workspace(root: Path, on_drive: bool) -> Workspace:
    models = cache_dir()
    models.mkdir(parents=True, exist_ok=True)
    return Workspace(root, *(root / name for name in _FOLDERS), models=models, on_drive=on_drive)


def _reason(error: OSError) -> str:
    """What a failure on Drive means, as a short phrase."""
    known = {
        errno.ENOSPC: "it is full",
        errno.EDQUOT: "it is full",
        errno.EROFS: "it can be read but not written",
        errno.EACCES: "it can be read but not written",
        errno.EPERM: "it can be read but not written",
        errno.ENOTCONN: "the connection to it was lost",
        errno.EIO: "the connection to it was lost",
    }
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return f"{error.filename} is a file there, and a folder is needed"
    return known.get(error.errno) or error.strerror or str(error) or type(error).__name__
