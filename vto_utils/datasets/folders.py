"""Two folders of photos and a list of pairs: what everybody can put together.

    DIR/persons/*.jpg   DIR/cloths/*.jpg   DIR/pairs.txt     lines "PERSON.jpg GARMENT.jpg [category]"

Labels, key points and masks are found once, by the same models as in a try-on, and kept in VITON-HD's layout in a
cache folder. ``train_pairs.txt`` and ``test_pairs.txt`` may stand in for ``pairs.txt``.
"""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import InputError
from .checks import Listing, named
from .layouts import VITON_HD, Pair
from .listings import guessed_category
from .pairs import first_file, read_pairs

PERSONS, CLOTHS = ("persons", "person"), ("cloths", "cloth")
CACHE = "prepared"  # within the folder
_SPLIT = "test"  # of the cache


def folders_in(root: Path) -> tuple[Path, Path] | None:
    """The folders of persons and of garments, None where ``root`` does not have both."""
    found = [next((root / name for name in names if (root / name).is_dir()), None) for names in (PERSONS, CLOTHS)]
    return None if None in found else (found[0], found[1])


def list_folders(
    root: Path,
    split: str,
    size: tuple[int, int],
    cache: Path | None = None,
    incomplete: str = "refuse",
    progress: bool = True,
    tryon=None,
) -> Listing:
    """Prepare the photos that have not been prepared yet and list the pairs.

    A garment without a category in the list gets the one its outline suggests.

    Args:
        root: the folder.
        split: ``train`` or ``test``: chooses between the lists, where there are two.
        size: (height, width) that samples will have; what is kept is at least 512 high.
        cache: folder for what is found; ``prepared`` within ``root`` if not given.
        incomplete: ``refuse``, or ``skip`` pairs of photos that cannot be used.
        progress: show a bar while photos are prepared.
        tryon: loaded models (``vto_utils.tryon.TryOn``); made when they are needed if not given.

    Raises:
        InputError: a photo of a pair is missing or cannot be used; the sentence says how many and why.
        AssetError: a model file is missing.
    """
    from ..preprocessing import preprocess_folders

    persons, cloths = folders_in(root)
    source = first_file(root / f"{split}_pairs.txt", root / "pairs.txt")
    source = source if source.is_file() else root / "pairs.txt"
    lines = read_pairs(source)
    missing = [
        f"{folder.name}/{name}"
        for line in lines
        for folder, name in zip((persons, cloths), line[:2], strict=True)
        if not (folder / name).is_file()
    ]
    bad = {name: "is not there" for name in missing}
    if missing and incomplete == "refuse":
        count = sum(f"{persons.name}/{line[0]}" in bad or f"{cloths.name}/{line[1]}" in bad for line in lines)
        raise InputError(
            f"{count} of {len(lines)} pairs of {source} name photos that are not there: {named(missing)}; "
            "copy them there, or remove the pairs."
        )
    out = cache or root / CACHE
    kept = (512, 384) if max(size) <= 512 else tuple(size)
    report = preprocess_folders(persons, cloths, out, progress, tryon, kept, _SPLIT)
    bad |= {f"{photo.parent.name}/{photo.name}": reason for photo, reason in report.failed}
    pairs, lost = [], []
    for person, cloth, category in lines:
        wrong = [name for name in (f"{persons.name}/{person}", f"{cloths.name}/{cloth}") if name in bad]
        if wrong:
            lost += wrong
            continue
        names = [re.sub(r"[^\w-]+", "_", name.rpartition(".")[0]) + ".jpg" for name in (person, cloth)]
        pairs.append(Pair(out / _SPLIT, *names, category or guessed_category(out / _SPLIT / "cloth-mask" / names[1])))
    if lost and (incomplete == "refuse" or not pairs):
        raise InputError(
            f"{len(lines) - len(pairs)} of {len(lines)} pairs of {source} have photos that cannot be used "
            f"({named(lost)}), the first because: {bad[lost[0]]}"
        )
    return Listing(VITON_HD, pairs, str(source))
