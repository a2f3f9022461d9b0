"""Try-ons whose settings may change from one to the next, as in a notebook.

What is slow is done once: the networks are loaded again only when others are chosen, and the photos of the last few
people and garments are not read again.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import option_types
from ..errors import InputError
from ..images import fit, load_image
from ..labels import CATEGORIES
from ..workspace import Workspace
from .network_choice import OWN, NetworkChoice, network_choices

AS_PHOTO = "photo"
KINDS = ("auto", *CATEGORIES)
_PEOPLE, _GARMENTS = 4, 16  # how many stay in memory: a large photo takes 60 MB with what was found in it


@dataclass(frozen=True)
class TryOnSettings:
    """What can be chosen for a try-on. Give it the texts of a form; it refuses what makes no sense.

    Attributes:
        category: ``upper_body``, ``lower_body``, ``dresses``, or ``auto`` to go by the garment's outline.
        networks: name of a :class:`vto_utils.panels.network_choice.NetworkChoice`.
        refine: steps by which the networks' warp is fitted to each pair.
        resolution: ``photo``, or height x width as ``512x384``.

    Raises:
        InputError: unknown category, a negative number of steps, or no resolution.
    """

    category: str = "auto"
    networks: str = OWN
    refine: int = 0
    resolution: str = AS_PHOTO

    def __post_init__(self) -> None:
        if self.category not in KINDS:
            raise InputError(f"Unknown category '{self.category}': use one of {', '.join(KINDS)}.")
        if self.refine < 0:
            raise InputError(f"refine is a number of steps, 0 or more, not {self.refine}.")
        _ = self.size

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) of the result; None for the photo's own."""
        if self.resolution == AS_PHOTO:
            return None
        try:
            return option_types.size(self.resolution)
        except argparse.ArgumentTypeError as error:
            raise InputError(f"The resolution {error}, or '{AS_PHOTO}' for the photo's own.") from None


class FittingRoom:
    """Dresses people from the photos of a workspace.

    Args:
        workspace: its ``checkpoints`` are searched for networks.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        seed: of the grain in filled areas.
        make: called as :class:`vto_utils.tryon.TryOn`, which it is when not given.

    Attributes:
        networks: :class:`vto_utils.panels.network_choice.NetworkChoices` that were found.
    """

    def __init__(
        self, workspace: Workspace, device: str = "auto", seed: int = 0, make: Callable[..., Any] | None = None
    ) -> None:
        self.workspace, self.device, self.seed = workspace, device, seed
        self.networks = network_choices(workspace.checkpoints)
        self._make = make or _make
        self._loaded: tuple[Any, Any] | None = None
        self._person = functools.lru_cache(_PEOPLE)(self._read_person)
        self._garment = functools.lru_cache(_GARMENTS)(self._read_garment)

    def choice(self, settings: TryOnSettings) -> NetworkChoice:
        """The networks that the settings name.

        Raises:
            InputError: there are none of that name.
        """
        return self.networks.named(settings.networks)

    def tryon(self, settings: TryOnSettings) -> Any:
        """The :class:`vto_utils.tryon.TryOn` for these settings, loaded when they ask for other networks than before.

        Raises:
            InputError: the networks are missing or damaged.
        """
        choice = self.choice(settings)
        key = (choice.warp, choice.weights, settings.refine)
        if self._loaded is None or self._loaded[0] != key:
            made = self._make(
                device=self.device, warp=choice.warp, seed=self.seed, weights=choice.weights, refine=settings.refine
            )
            self.close()  # only now: networks that cannot be loaded leave those in place that could
            self._loaded = key, made
        return self._loaded[1]

    def close(self) -> None:
        """Free what is loaded; the room can be used again afterwards."""
        if self._loaded is not None:
            self._loaded[1].close()
            self._loaded = None

    def person(self, path: Path, settings: TryOnSettings) -> Any:
        """What :meth:`vto_utils.tryon.TryOn.prepare_person` finds in the photo at the settings' resolution.

        Raises:
            InputError, NoPersonError: the photo cannot be used.
        """
        self.tryon(settings)
        return self._person(path, _stamp(path), settings.size)

    def garment(self, path: Path, settings: TryOnSettings) -> Any:
        """What :meth:`vto_utils.tryon.TryOn.prepare_garment` finds in the photo.

        Raises:
            InputError: the photo cannot be used.
        """
        self.tryon(settings)
        return self._garment(path, _stamp(path), settings.category)

    def dress(self, person: Path, garment: Path, settings: TryOnSettings, stages: bool = False) -> Any:
        """Put one garment on one person: a :class:`vto_utils.tryon.TryOnResult`.

        Args:
            person, garment: photos.
            settings: how.
            stages: also make the pictures of all steps.

        Raises:
            InputError, NoPersonError: a photo cannot be used.
        """
        worn = self.garment(garment, settings)
        return self.tryon(settings)(self.person(person, settings), worn, category=settings.category, stages=stages)

    def outfit(self, person: Path, garment: Path, others: Sequence[Path], settings: TryOnSettings) -> list[Any]:
        """Put a garment on a person, and the first of the others that is for the other half of the body.

        What each garment is goes by its outline: one category cannot fit both.

        Returns:
            Two results in the order of dressing; the last one wears both.

        Raises:
            InputError, NoPersonError: a photo cannot be used, the garment is a dress, or nothing goes with it.
        """
        by_outline = TryOnSettings("auto", settings.networks, settings.refine, settings.resolution)
        first = self.garment(garment, by_outline)
        wanted = {"upper_body": "lower_body", "lower_body": "upper_body"}.get(first.category)
        if wanted is None:
            raise InputError(f"{garment.name} is a dress, which is worn alone: choose a top, trousers or a skirt.")
        for path in others:
            if path == garment:
                continue
            try:
                second = self.garment(path, by_outline)
            except InputError:  # not what was asked for: other photos may do
                continue
            if second.category == wanted:
                return self.tryon(by_outline).outfit(self.person(person, by_outline), [first, second])
        lacking = "a top" if wanted == "upper_body" else "trousers or a skirt"
        raise InputError(f"Nothing goes with {garment.name}: put a photo of {lacking} beside it.")

    def _read_person(self, path: Path, stamp: Any, size: tuple[int, int] | None) -> Any:
        photo = load_image(path)
        return self._loaded[1].prepare_person(photo if size is None else fit(photo, size), path.name)

    def _read_garment(self, path: Path, stamp: Any, category: str) -> Any:
        return self._loaded[1].prepare_garment(path, category)


def _stamp(path: Path) -> tuple[int, int] | None:
    """Changes when the file does; None where it cannot be looked at, which reading it will explain."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size


def _make(**options: Any) -> Any:
    from ..tryon import TryOn

    return TryOn(**options)
