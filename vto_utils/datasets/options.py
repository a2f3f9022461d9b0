"""How a data set is to be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from .recognition import LAYOUTS
from .sample import CATEGORIES


@dataclass(frozen=True)
class OpenOptions:
    """How a data set is to be read; each is a keyword of ``open_dataset``.

    Attributes:
        layout: one of :data:`.recognition.LAYOUTS`; ``auto`` goes by what the folder holds.
        pairing: ``paired``, the person's photo shows the garment and is the target; ``unpaired``, real persons
            meet other garments and there is no target. Synthetic sets have a target for both.
        agnostic: ``computed`` from labels and key points as in a try-on, or ``files`` where the layout has them.
        swap: for synthetic sets, the share of items in which the garment is changed; ``pairing="unpaired"``
            changes it always.
        exchange: for synthetic sets, either outfit may be the one worn; if None, in ``train`` only.
        categories: only garments of these; None for all.
        incomplete: ``refuse`` a data set that lacks files, or ``skip`` the pairs that do.
        length: number of samples that are made on the fly.
        cache: for two folders, where what is found in the photos is kept; ``prepared`` beside them if None.
        progress: for two folders, show a bar while photos are prepared.
        tryon: for two folders, loaded models (``vto_utils.tryon.TryOn``); made when needed if None.

    Raises:
        InputError: a value is not one of those above.
    """

    layout: str = "auto"
    pairing: str = "paired"
    agnostic: str = "computed"
    swap: float = 1.0
    exchange: bool | None = None
    categories: Sequence[str] | None = None
    incomplete: str = "refuse"
    length: int | None = None
    cache: str | Path | None = None
    progress: bool = True
    tryon: Any = None

    def __post_init__(self) -> None:
        check_name("layout", self.layout, ("auto", *LAYOUTS))
        check_name("pairing", self.pairing, ("paired", "unpaired"))
        check_name("agnostic", self.agnostic, ("computed", "files"))
        check_name("incomplete", self.incomplete, ("refuse", "skip"))
        if not 0 <= self.swap <= 1:
            raise InputError(f"The share of swaps is {self.swap}: give a number from 0 to 1.")
        if self.categories is not None:
            given = (self.categories,) if isinstance(self.categories, str) else tuple(self.categories)
            object.__setattr__(self, "categories", given)
            for category in given:
                check_name("category", category, CATEGORIES)

    @property
    def paired(self) -> bool:
        return self.pairing == "paired"


def check_name(what: str, value: str, known: Sequence[str]) -> None:
    """Raise InputError unless ``value`` is one of ``known``."""
    if value not in known:
        raise InputError(f"There is no {what} '{value}': use {', '.join(known[:-1])} or {known[-1]}.")
