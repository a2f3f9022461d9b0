"""What to learn from, as a user chooses it: a pair of photos, a folder, or samples made on the spot."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ..datasets import recognise
from ..errors import InputError
from ..files import atomic_path
from ..training.data import MADE
from ..workspace import Workspace

PAIR, FOLDER = "pair", "folder"
KINDS = {
    "synthetic samples, made on the spot": MADE,
    "one pair: this person wears this garment": PAIR,
    "a folder": FOLDER,
}
_PAIRS = "pairs.txt"
_NO_DATA = ("persons", "cloths", "checkpoints", "models", "results")  # of a workspace
_ONE_PAIR = "one_pair"


def pair_folder(person: str | os.PathLike, cloth: str | os.PathLike, root: str | os.PathLike) -> Path:
    """A data set of one pair: a folder that ``datasets.open_dataset`` reads as two folders and a list.

    Args:
        person: photo of the person wearing the garment.
        cloth: photo of that garment.
        root: the folder is made in there, named for the two photos.

    Raises:
        InputError: a photo is not there.
        OutputError: the folder cannot be written.
    """
    person, cloth = Path(person), Path(cloth)
    folder = Path(root) / f"{person.stem}--{cloth.stem}"
    for photo, place in ((person, "persons"), (cloth, "cloths")):
        if not photo.is_file():
            raise InputError(f"There is no photo {photo}: choose another one.")
        with atomic_path(folder / place / photo.name) as temporary:
            shutil.copyfile(photo, temporary)
    with atomic_path(folder / _PAIRS) as temporary:
        temporary.write_text(f"{person.name} {cloth.name}\n", encoding="utf-8")
    return folder


def found_data_sets(workspace: Workspace) -> list[Path]:
    """The data sets in a workspace's folder, and the folder itself where a ``pairs.txt`` says who wears what."""
    found = [workspace.root] if (workspace.root / _PAIRS).is_file() else []
    for folder in sorted(path for path in workspace.root.iterdir() if path.is_dir() and path.name not in _NO_DATA):
        below = sorted(path for path in folder.iterdir() if path.is_dir()) if not folder.name.startswith(".") else []
        found += [path for path in (folder, *below) if _is_data_set(path)]
    return found


def _is_data_set(folder: Path) -> bool:
    try:
        recognise(folder)
    except (InputError, OSError):
        return False
    return True


class SourceChoice:
    """Controls to choose what is learned from.

    Args:
        workspace: its photos and the data sets in its folder are offered.
        kind: chosen at first: one of the values of :data:`KINDS`.
        folder: the folder written at first.

    Attributes:
        kind, person, cloth, folder: the ipywidgets controls.
        widget: all of them; those that do not matter are hidden.
    """

    def __init__(self, workspace: Workspace, kind: str = MADE, folder: str = "") -> None:
        import ipywidgets as widgets

        self._workspace = workspace
        style, room = {"description_width": "150px"}, {"width": "560px"}
        if kind not in KINDS.values():
            raise InputError(f"There is no kind of data '{kind}': use {', '.join(KINDS.values())}.")
        found = [str(path) for path in found_data_sets(workspace)]
        self.kind = widgets.Dropdown(
            options=list(KINDS.items()), value=kind, description="learn from", style=style, layout=room
        )
        photos = {
            name: widgets.Dropdown(options=[path.name for path in paths], description=name, style=style, layout=room)
            for name, paths in (("person", workspace.person_files()), ("garment", workspace.cloth_files()))
        }
        self.person, self.cloth = photos["person"], photos["garment"]
        self.folder = widgets.Combobox(
            value=folder or (found[0] if found else ""), options=found, ensure_option=False, description="folder",
            placeholder="a data set: VITON-HD, synthetic, or persons/ cloths/ pairs.txt", style=style, layout=room,
        )  # fmt: skip
        self.widget = widgets.VBox([self.kind, self.person, self.cloth, self.folder])
        self.kind.observe(lambda _: self._show(), names="value")
        self._show()

    @property
    def sources(self) -> list[str]:
        """As :class:`.training.data.TrainingData` takes them.

        Raises:
            InputError: a photo or the folder is missing.
        """
        if self.kind.value == MADE:
            return [MADE]
        if self.kind.value == PAIR:
            workspace = self._workspace
            person, cloth = workspace.person_file(self.person.value or ""), workspace.cloth_file(self.cloth.value or "")
            return [str(pair_folder(person, cloth, workspace.root / _ONE_PAIR))]
        text = self.folder.value.strip()
        if not text:
            raise InputError("Write the folder of the data set, or choose other data.")
        recognise(text)
        return [text]

    def set_disabled(self, disabled: bool) -> None:
        """Whether nothing can be chosen: a run that is there keeps its data."""
        for control in (self.kind, self.person, self.cloth, self.folder):
            control.disabled = disabled

    def _show(self) -> None:
        kind = self.kind.value
        for control, of in ((self.person, PAIR), (self.cloth, PAIR), (self.folder, FOLDER)):
            control.layout.display = None if kind == of else "none"
