"""Which layout a folder follows, and what it looks like when it follows none."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import InputError
from ..synth.records import DATASET
from .checks import named
from .folders import folders_in
from .layouts import DRESSCODE, VITON, VITON_HD
from .sample import CATEGORIES
from .synthetic import NAME

FOLDERS = "two folders"
LAYOUTS = (NAME, VITON_HD.name, VITON.name, DRESSCODE.name, FOLDERS)
_SUMMARY = (
    "a synthetic set (dataset.json), VITON-HD (train/image, train/openpose_json), VITON (train/image, train/pose), "
    "DressCode (upper_body/images) or two folders (persons, cloths, pairs.txt)"
)
_POSES = {"openpose_json": VITON_HD.name, "openpose-json": VITON_HD.name, "pose": VITON.name}


def recognise(folder: str | os.PathLike, split: str = "train") -> str:
    """The layout of a data set's folder, one of :data:`LAYOUTS`.

    Raises:
        InputError: none of them; the sentence says what the folder looks like instead.
    """
    root = Path(folder).expanduser()
    found = _layout(root, split)
    if found is None:
        raise InputError(_told(root, split))
    return found


def _layout(root: Path, split: str) -> str | None:
    if (root / DATASET).is_file():
        return NAME
    if any((root / category / "images").is_dir() for category in CATEGORIES):
        return DRESSCODE.name
    if (root / split / "image").is_dir():
        for folder, layout in _POSES.items():
            if (root / split / folder).is_dir():
                return layout
        # Without any poses the names tell, and that they are missing is said later.
        garments = root / split / "cloth"
        older = garments.is_dir() and any(path.stem.endswith("_1") for path in garments.iterdir())
        return VITON.name if older else VITON_HD.name
    if folders_in(root) is not None:
        return FOLDERS
    return None


def _told(root: Path, split: str) -> str:
    """What is wrong with a folder that is no data set."""
    if not root.is_dir():
        if root.suffix.lower() in (".zip", ".tar", ".gz", ".tgz", ".7z") and root.is_file():
            return f"{root} is an archive: unpack it and give the folder."
        if root.is_file():
            return f"{root} is a file: give the folder of a data set."
        return f"There is no folder {root}: check its name (now in {os.getcwd()})."
    names = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    splits = [name for name in names if (root / name / "image").is_dir()]
    if splits:
        return f"{root} has no split '{split}': it holds {' and '.join(splits)}; choose one of them."
    if (root / "image").is_dir() or root.name in CATEGORIES and (root / "images").is_dir():
        part = "one category" if root.name in CATEGORIES else "one split"
        return f"{root} holds {part} of a data set: give the folder above it, {root.absolute().parent}."
    older = [name for name in names if name.endswith(("_img", "_label", "_color", "_edge", "_clothes"))]
    if older:
        return (
            f"{root} looks like VITON as ACGPN and PF-AFN have it ({named(older)}), which is not read here: "
            "put its photos into persons/ and cloths/ beside a pairs.txt, and open the folder around them."
        )
    below = [name for name in names if _layout(root / name, split)]
    if below:
        return f"{root} is no data set, but {root / below[0]} is ({_layout(root / below[0], split)}): give that folder."
    held = f"it holds the folders {named(names)}" if names else "it holds no folders"
    return f"{root} is none of the known data sets ({held}): give {_SUMMARY}."
