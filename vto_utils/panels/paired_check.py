"""Figures for one's own photos: people who already wear the garment that is tried on them.

The person's photo is then the right answer, and the result can be compared with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from ..errors import AssetError, InputError
from ..workspace import Workspace
from .network_choice import RULES, NetworkChoice

PAIRS_FILE = "pairs.txt"


@dataclass(frozen=True)
class PairedCheck:
    """What :func:`paired_check` measured.

    Attributes:
        text: a table of SSIM (higher is better, 1 is equal) and perceptual distance (lower is better, 0 is equal), one
            line a pair, one column a way of dressing, with two that need no try-on for comparison.
        picture: photo, garment and each answer, of the first pairs.
        figures: way of dressing -> pair or ``mean`` -> ``ssim``, ``perceptual``.
    """

    text: str
    picture: Image.Image
    figures: dict[str, dict[str, dict[str, float | None]]]


def paired_check(
    workspace: Workspace,
    choice: NetworkChoice,
    device: str = "auto",
    size: tuple[int, int] = (512, 384),
    shown: int = 3,
    progress: bool = False,
) -> PairedCheck:
    """Measure the pairs in the workspace's ``pairs.txt``: a line ``PERSON.jpg GARMENT.jpg`` for each person who wears
    exactly that garment.

    Args:
        workspace: with that file beside its folders of photos.
        choice: the networks to measure beside the geometric warp.
        device: where.
        size: (height, width) within which pictures are compared.
        shown: of how many pairs there are pictures.
        progress: show a bar.

    Raises:
        InputError: there is no such file, it cannot be used, or no pair can be measured.
    """
    file = workspace.root / PAIRS_FILE
    if not file.is_file():
        raise InputError(
            f"Nothing is measured, for there is no {file}: to measure, write a line 'PERSON.jpg GARMENT.jpg' into it "
            "for each photo of a person who wears exactly that garment."
        )
    from ..evaluation.measures import Meter
    from ..evaluation.pairs import measure_pairs, true_pairs
    from ..evaluation.tables import format_pairs
    from ..plots import labelled_sheet

    pairs = true_pairs(file, workspace.persons, workspace.cloths)
    notes: tuple[str, ...] = ()
    try:
        meter = Meter.make(device=device)
    except AssetError as error:
        meter = Meter.make("none", device)
        notes = (f"The perceptual distance is not measured: {error}",)
    weights = None if choice.warp == RULES else choice.weights
    found = measure_pairs(pairs, meter, size, weights, shown, progress)
    figures = found.figures()
    lines = [*meter.notes, *notes, *(f"Left out: {reason}" for reason in found.refusals)]
    cells, columns = found.sheet()
    picture = labelled_sheet([image for _, image in cells], [label for label, _ in cells], columns)
    return PairedCheck("\n".join([*lines, "", format_pairs(figures)]), picture, figures["figures"])
