"""Real cloth: patches found in photos of garments, and laid over a panel."""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ..errors import InputError
from .cloth import FabricSpec, PanelMaps, PhotoPatch
from .tiles import lookup, placed, reduced


class PhotoLibrary(Sequence):
    """Patches of cloth in a folder of garment photos, each looked for when it is first asked for.

    ``library[i]`` is a :class:`PhotoPatch`, or None where photo i is broken or shows no piece of bare cloth.
    """

    def __init__(self, folder: Path, names: Sequence[tuple[str, str]], notes: Iterable[str] = ()) -> None:
        self._folder, self._names, self._notes = folder, tuple(names), list(notes)
        self._found: dict[int, PhotoPatch | None] = {}

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        index = range(len(self))[index]
        if index not in self._found:
            name, label = self._names[index]
            try:
                box = find_cloth(_read(str(self._folder / name)))
            except InputError as error:
                self._notes.append(str(error))
                box = None
            self._found[index] = None if box is None else PhotoPatch(str(self._folder / name), box, label)
        return self._found[index]

    @property
    def labels(self) -> tuple[str, ...]:
        """What each photo shows, as the list says; empty where it does not."""
        return tuple(label for _, label in self._names)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on photos that are missing or turned out to be broken."""
        return tuple(self._notes)


_NO_CLOTH = frozenset({"Shoes", "Hat", "Not sure", "Skip", "Other"})


def load_photos(folder: str | Path) -> PhotoLibrary:
    """Real cloth from a folder with ``images/`` and, optionally, ``images.csv`` (columns image, label).

    Nothing is decoded yet. Photos that are named but missing are left out and named in ``notes``.

    Raises:
        InputError: if there is no such folder or it has no photo.
    """
    folder = Path(folder)
    images = folder / "images" if (folder / "images").is_dir() else folder
    if not images.is_dir():
        raise InputError(f"{folder} is not a folder; give a folder with garment photos.")
    present = {
        path.stem: path.name for path in sorted(images.iterdir()) if path.suffix.lower() in (".jpg", ".jpeg", ".png")
    }
    notes: list[str] = []
    names = [(name, "") for name in present.values()]
    table = folder / "images.csv"
    if table.is_file():
        try:
            with table.open(newline="", encoding="utf-8") as file:
                rows = [(row["image"], row.get("label") or "") for row in csv.DictReader(file)]
        except (OSError, UnicodeDecodeError, KeyError, TypeError, csv.Error):
            notes.append(f'{table} cannot be read as a table with a column "image": photos are taken without it.')
        else:
            missing = sorted({name for name, _ in rows if Path(name).stem not in present and name not in present})
            if missing:
                shown = ", ".join(missing[:3]) + (" and others" if len(missing) > 3 else "")
                notes.append(f"{len(missing)} photos named in {table} are missing and left out: {shown}.")
            names = sorted(
                (present[name if name in present else Path(name).stem], label)
                for name, label in dict(rows).items()
                if label not in _NO_CLOTH and (name in present or Path(name).stem in present)
            )
    if not names:
        raise InputError(f"{images} has no photo (.jpg or .png) that can be used; check the folder.")
    return PhotoLibrary(images, names, notes)


def sample_photo(rng: np.random.Generator, photos: Sequence[PhotoPatch | None], kind: str) -> PhotoPatch | None:
    """A patch that suits ``kind``; always the same number of draws."""
    lower = ("Pants", "Shorts", "Skirt")
    below = kind in ("trousers", "skirt")
    drawn = [int(index) for index in rng.integers(len(photos), size=16)]
    if isinstance(photos, PhotoLibrary):  # those of the right kind first: none is decoded for nothing
        drawn.sort(key=lambda index: (photos.labels[index] in lower) != below)
    else:
        drawn.sort(key=lambda index: photos[index] is None or (photos[index].label in lower) != below)
    return next((patch for patch in (photos[index] for index in drawn) if patch is not None), None)


def _read(path: str) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} cannot be read as a photo and is left out.") from error


def find_cloth(photo: np.ndarray) -> tuple[int, int, int, int] | None:
    """A rectangle of bare cloth in a photo of one garment: the largest even one whose colours the border lacks.

    Args:
        photo: (H, W, 3) uint8 RGB.

    Returns:
        Left, top, width, height in pixels, or None.
    """
    height, width = photo.shape[:2]
    reduction = 160 / max(height, width)
    small = cv2.resize(
        photo, (max(16, round(width * reduction)), max(16, round(height * reduction))), interpolation=cv2.INTER_AREA
    )
    lab = cv2.cvtColor(cv2.GaussianBlur(small, (0, 0), 1.0), cv2.COLOR_RGB2LAB)
    rows, columns = lab.shape[:2]
    bins = (lab.astype(np.int32) // np.array((16, 8, 8))).astype(np.int32)
    code = bins[..., 0] * 1024 + bins[..., 1] * 32 + bins[..., 2]
    ring = np.ones((rows, columns), bool)
    edge_y, edge_x = max(2, rows // 12), max(2, columns // 12)
    ring[edge_y:-edge_y, edge_x:-edge_x] = False
    behind = np.bincount(code[ring], minlength=16384)[code] / ring.sum()
    alien = cv2.integral((behind < 0.004).astype(np.float32))
    even = cv2.integral(lab.astype(np.float32))
    light = lab[..., 0].astype(np.float32)
    detail = cv2.integral(np.square(light - cv2.GaussianBlur(light, (0, 0), 3.0)))

    def means(table: np.ndarray, top: int, left: int, side: int) -> np.ndarray:
        """Mean of each of 5 x 5 squares of a window."""
        steps = np.arange(6) * side // 5
        nodes = table[(top + steps)[:, None], (left + steps)[None]].reshape(6, 6, -1)
        sums = nodes[1:, 1:] - nodes[:-1, 1:] - nodes[1:, :-1] + nodes[:-1, :-1]
        area = np.diff(steps)[:, None] * np.diff(steps)[None]
        return (sums / area[..., None]).reshape(25, -1)

    for part in (0.42, 0.34, 0.27, 0.2):
        side = round(part * min(rows, columns))
        best = None
        tops = np.rint(np.arange(0.28, 0.78, 0.05) * rows - side / 2).astype(int)[:, None]
        lefts = np.rint(np.arange(0.28, 0.73, 0.05) * columns - side / 2).astype(int)[None]
        inside = alien[tops + side, lefts + side] - alien[tops, lefts + side] - alien[tops + side, lefts]
        inside = (inside + alien[tops, lefts]) / side**2
        for row, column in np.argwhere(inside >= 0.985):
            top, left = int(tops[row, 0]), int(lefts[0, column])
            spread = means(even, top, left, side)
            tone = np.abs(spread - np.median(spread, 0)).max(0)
            busy = means(detail, top, left, side)
            typical = float(np.median(busy))
            odd = float(busy.max()) / (typical + 4)  # a button, a logo, a seam in an otherwise even cloth
            if tone[0] > 16 or tone[1:].max() > 6 or odd > 3.0 or typical > 900:
                continue
            score = tone[0] + 2 * tone[1:].sum() + 4 * odd
            if best is None or score < best[0]:
                best = (score, left, top)
        if best is not None:
            scale = 1 / reduction
            return round(best[1] * scale), round(best[2] * scale), int(side * scale), int(side * scale)
    return None


@functools.lru_cache(maxsize=16)
def _patch(photo: PhotoPatch) -> np.ndarray:
    """The patch with its folds' light mostly taken out, uint8 RGB."""
    left, top, width, height = photo.box
    cut = _read(photo.path)[top : top + height, left : left + width].astype(np.float32) / 255
    light = cv2.GaussianBlur(cut.mean(2), (0, 0), max(width, height) / 10, borderType=cv2.BORDER_REFLECT)
    even = cut * np.clip(((light.mean() + 0.08) / (light + 0.08)) ** 0.92, 0.5, 2.0)[..., None]
    return np.round(np.clip(even, 0, 1) * 255).astype(np.uint8)


def photographed(spec: FabricSpec, maps: PanelMaps) -> np.ndarray:
    """The patch laid over the panel, mirrored at its edges; ``spec.size`` is its pixels per dm."""
    patch = _patch(spec.photo)
    doubled = np.concatenate([patch, patch[::-1]])
    doubled = np.concatenate([doubled, doubled[:, ::-1]], 1)
    repeat = (doubled.shape[0] / spec.size, doubled.shape[1] / spec.size)
    tile = reduced(doubled, repeat, maps.scale)
    return lookup(tile, repeat, *placed(spec, maps)).astype(np.float32) / np.float32(255)
