"""Optional CC0 assets on this machine: skins and hair for the people, photos of real cloth for the fabrics.

The generator needs none of them; with them its people and fabrics are more varied. A folder may hold
``makehuman_cc0/`` (``skins/``, ``hair/``) and ``clothing/`` (``images/``, ``images.csv``), or be one of the two.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .body import load_body
from .cloth_photos import PhotoLibrary, load_photos
from .makehuman import MakeHumanAssets


@dataclass(frozen=True)
class Assets:
    """What was found in a folder."""

    people: MakeHumanAssets | None
    photos: PhotoLibrary | None
    digest: str  # of the names and sizes of all files
    missing: tuple[str, ...] = ()  # sentences on what the folder does not have

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on files that are missing or broken and are done without; broken ones show up when used."""
        people = () if self.people is None else tuple(self.people.notes)
        photos = () if self.photos is None else self.photos.notes
        return (*self.missing, *people, *photos)


def _one_of(folder: Path, name: str, signs: tuple[str, ...]) -> Path | None:
    """The folder itself or its ``name``, whichever has one of the signs."""
    for candidate in (folder / name, folder):
        if any((candidate / sign).exists() for sign in signs):
            return candidate
    return None


def load_assets(folder: Path) -> Assets:
    """Look what is there; nothing is decoded yet. A folder that is not there counts as an empty one."""
    folder = Path(folder)
    if not folder.is_dir():
        return Assets(None, None, "none", (f"There is no assets folder {folder}: samples are made without assets.",))
    missing = []
    people, photos = None, None
    figures = _one_of(folder, "makehuman_cc0", ("skins", "hair"))
    if figures is None:
        missing.append(f"{folder} has no folder skins or hair: people are made without.")
    else:
        people = MakeHumanAssets(figures, load_body())
    cloth = _one_of(folder, "clothing", ("images.csv", "images"))
    if cloth is None:
        missing.append(f"{folder} has no images.csv or images: fabrics are made without photos.")
    else:
        try:
            photos = load_photos(cloth)
        except InputError as error:
            missing.append(str(error))
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()} {path.stat().st_size}\n".encode())
    return Assets(people, photos, digest.hexdigest()[:12], tuple(missing))
