"""Photos from the reader's own machine into a folder of the workspace.

A photo that is uploaded through a widget is part of the widget's state, which may be saved inside the notebook
without being seen. So the widget is closed as soon as its photos are on disk, and a new one takes its place.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError, OutputError
from ..files import atomic_path
from ..images import load_image
from ..workspace import PHOTO_SUFFIXES, in_colab


def save_uploads(files: Mapping[str, bytes], folder: str | os.PathLike) -> tuple[list[Path], list[str]]:
    """Write uploaded photos into a folder. No photo that is there already is replaced.

    Args:
        files: name -> content. Only the last part of a name counts.
        folder: created when missing.

    Returns:
        The files that were written, in order, and a sentence for each that was refused.

    Raises:
        OutputError: the folder cannot be written.
    """
    folder = Path(folder)
    saved, refused = [], []
    for given, content in files.items():
        name = given.replace("\\", "/").rsplit("/", 1)[-1].lstrip(".")
        if Path(name).suffix.lower() not in PHOTO_SUFFIXES:
            refused.append(f"{name or given} is no photo: give JPEG or PNG files.")
            continue
        try:
            load_image(content)
        except InputError as error:
            refused.append(f"{name}: {error}")
            continue
        target, number = folder / name, 1
        while target.exists() and target.read_bytes() != content:
            number += 1
            target = folder / f"{Path(name).stem}-{number}{Path(name).suffix}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with atomic_path(target) as temporary:
                temporary.write_bytes(content)
        except OSError as error:
            raise OutputError(f"Could not save {target}: {error.strerror or error}.") from error
        saved.append(target)
    return saved, refused


def ask_on_colab(folder: str | os.PathLike, what: str) -> list[Path]:
    """Open Colab's own dialogue for files and wait for it; what is chosen lands in ``folder``.

    Args:
        folder: as for :func:`save_uploads`.
        what: is asked for, as ``people``.

    Returns:
        The new files; none when the dialogue was cancelled.

    Raises:
        InputError: this is not Colab.
        OutputError: the folder cannot be written.
    """
    if not in_colab():
        raise InputError(f"There is no upload dialogue here: copy the photos into {folder}, or use the upload button.")
    from google.colab import files

    print(f"Choose photos of {what}; cancel to add none.")
    with _elsewhere():  # Colab also writes what was chosen into the working folder
        chosen = files.upload()
    saved, refused = save_uploads(chosen, folder)
    print(f"{len(saved)} photos were put into {folder}.", *refused, sep="\n")
    return saved


class UploadButton:
    """A button that puts photos into a folder: ipywidgets 7.7 and 8.

    Attributes:
        widget: to be shown, or to be part of something larger.
        button: the ipywidgets ``FileUpload`` that waits for photos; a new one after each use.
        saved: files written so far.
        message: what became of the last use, or "".
    """

    def __init__(self, folder: str | os.PathLike, label: str) -> None:
        import ipywidgets as widgets

        self.folder, self.label = Path(folder), label
        self.saved: list[Path] = []
        self.message = ""
        self._text = widgets.Label()
        self.widget = widgets.HBox([])
        self._renew()

    def receive(self, files: Mapping[str, bytes]) -> None:
        """Take photos, name -> content, as the button does; what is wrong becomes ``message``."""
        try:
            saved, refused = save_uploads(files, self.folder)
        except OutputError as error:
            saved, refused = [], [str(error)]
        self.saved += saved
        self.message = " ".join([f"{len(saved)} photos added; run this cell again to see them.", *refused])
        self._text.value = self.message

    def _renew(self) -> None:
        import ipywidgets as widgets

        self.button = widgets.FileUpload(
            accept="image/*", multiple=True, description=self.label, layout={"width": "220px"}
        )
        self.button.observe(self._arrived, names="value")
        self.widget.children = (self.button, self._text)

    def _arrived(self, change: Any) -> None:
        if not change["new"]:
            return
        used = self.button
        files = _contents(change["new"])
        self._renew()
        used.unobserve_all()
        used.close()
        self.receive(files)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget)


def _contents(value: Any) -> dict[str, bytes]:
    """Name -> content, from a dict of dicts (ipywidgets 7) or a tuple of them (8)."""
    if isinstance(value, Mapping):
        return {name: bytes(entry["content"]) for name, entry in value.items()}
    return {entry["name"]: bytes(entry["content"]) for entry in value}


@contextlib.contextmanager
def _elsewhere() -> Iterator[None]:
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(here)
