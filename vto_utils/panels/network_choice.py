"""Which networks a try-on may use: the package's own way, and folders of networks that training left behind."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import fitting
from ..errors import InputError

OWN, RULES = "auto", "geometric"
_CONFIG, _GMM, _TOM = "config.json", "gmm.safetensors", "tom.safetensors"
_DEPTHS = ("", "*/", "*/*/", "*/*/*/")  # a run of the training keeps its networks in folders of its own


@dataclass(frozen=True)
class NetworkChoice:
    """One way of dressing.

    Attributes:
        name: ``auto`` for the package's own way, ``geometric``, or the folder's name below the one searched.
        label: for people.
        warp: as :class:`vto_utils.tryon.TryOn` takes it.
        weights: the folder; None for what comes with the package.
    """

    name: str
    label: str
    warp: str
    weights: Path | None = None

    def sha256(self, warp: str | None = None) -> dict[str, str] | None:
        """File name -> SHA-256 of the weights, as the checkpoint itself gives them; None where none are used.

        Args:
            warp: what ``auto`` came to, ``geometric`` or ``learned``.
        """
        if (warp or self.warp) == RULES:
            return None
        folder = self.weights or fitting.WEIGHTS
        try:
            files = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))["files"]
        except (OSError, ValueError, KeyError, TypeError):  # used already, so only its description has changed
            return None
        return {str(name): str(digest) for name, digest in files.items()}


@dataclass(frozen=True)
class NetworkChoices:
    """What :func:`network_choices` found.

    Attributes:
        choices: the package's own way first, then the newest networks first.
        notes: why other folders are not offered.
    """

    choices: tuple[NetworkChoice, ...]
    notes: tuple[str, ...] = ()

    def named(self, name: str) -> NetworkChoice:
        """The choice of this name; the package's own way when empty.

        Raises:
            InputError: there is none; the sentence lists those that are there.
        """
        for choice in self.choices:
            if choice.name == (name or OWN):
                return choice
        if name == RULES:
            return NetworkChoice(RULES, "geometric warp, without networks", RULES)
        names = ", ".join(choice.name for choice in self.choices)
        why = next((f" ({note.rstrip('.')})" for note in self.notes if note.startswith(f"{name}:")), "")
        raise InputError(f"There are no networks named '{name}'{why}: choose one of {names}.")


def network_choices(folder: str | os.PathLike) -> NetworkChoices:
    """Look for networks in a folder and up to three folders deep; nothing is loaded.

    Args:
        folder: such as ``Workspace.checkpoints``. It need not exist.
    """
    folder = Path(folder)
    if fitting.WEIGHTS.is_dir():
        own = [
            NetworkChoice(OWN, "the networks that come with VTO 3", "auto"),
            NetworkChoice(RULES, "geometric warp, without networks", RULES),
        ]
    else:
        own = [NetworkChoice(OWN, "geometric warp (no trained networks come with this version)", "auto")]
    found, notes = [], []
    for place in {file.parent for depth in _DEPTHS for file in folder.glob(depth + _GMM)}:
        name = place.relative_to(folder).as_posix() if place != folder else place.name
        try:
            description = json.loads((place / _CONFIG).read_text(encoding="utf-8"))
            time = (place / _CONFIG).stat().st_mtime
        except (OSError, ValueError):
            notes.append(f"{name}: its {_CONFIG} is missing or damaged; copy the whole folder again.")
            continue
        problem = _problem(place, description)
        if problem:
            notes.append(f"{name}: {problem}")
            continue
        step = description["extra"].get("step") if isinstance(description.get("extra"), dict) else None
        label = f"{name}, step {step}" if isinstance(step, int) else name
        found.append((-time, NetworkChoice(name, label, "learned", place)))
    trained = [choice for _, choice in sorted(found, key=lambda pair: (pair[0], pair[1].name))]
    return NetworkChoices((*own, *trained), tuple(sorted(notes)))


def _problem(place: Path, description: Any) -> str:
    """Why these networks cannot dress anybody, as a sentence; "" when they can."""
    from ..networks.inputs import GARMENT_CHANNELS, PERSON_CHANNELS

    if not (place / _TOM).is_file():
        return f"{_TOM} is missing; copy the whole folder again."
    try:
        gmm, tom = description["gmm"], description["tom"]
        shape = gmm["person_channels"], gmm["garment_channels"], bool(tom["layout_classes"])
    except (KeyError, TypeError):
        return f"its {_CONFIG} is missing or damaged; copy the whole folder again."
    if shape != (PERSON_CHANNELS, GARMENT_CHANNELS, True):
        return "networks of one pair of photos, which can dress nobody else; train on many pairs for that."
    return ""
