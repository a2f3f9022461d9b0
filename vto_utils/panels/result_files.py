"""Results on disk: PNG files that say how they were made, and nothing about whose photo it was.

The settings stand in a text chunk of the file, as JSON under the keyword ``vto_settings``. No name and no path of a
photo is among them, and nothing of what a camera wrote into the photos.
"""

from __future__ import annotations

import itertools
import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from PIL import Image

from .. import __version__
from ..errors import InputError
from ..images import save_image
from .fitting_room import FittingRoom, TryOnSettings
from .network_choice import OWN, RULES

KEYWORD = "vto_settings"
_PACKAGES = ("torch", "numpy", "pillow", "opencv-python", "mediapipe", "onnxruntime")


def record(room: FittingRoom, settings: TryOnSettings, results: Sequence[Any]) -> dict[str, Any]:
    """How a picture was made, for :func:`save_result`.

    Args:
        room: where.
        settings: with which.
        results: the try-ons, one after the other, that ended in the picture.

    Returns:
        ``program``; ``settings`` as chosen; ``category`` of each garment; ``warp`` as used; ``seed``; ``weights``: file
        name -> SHA-256, None without networks; ``versions``.
    """
    choice, warp = room.choice(settings), room.tryon(settings).warp
    networks = {OWN: "own", RULES: "none"}.get(choice.name, "trained")  # a folder's name is nobody's business
    return {
        "program": f"vto_utils {__version__}",
        "settings": {
            "category": settings.category,
            "networks": networks,
            "refine": settings.refine,
            "resolution": settings.resolution,
        },
        "category": [result.category for result in results],
        "warp": warp,
        "seed": room.seed,
        "weights": choice.sha256(warp),
        "versions": _versions(),
    }


def save_result(image: Image.Image, folder: str | os.PathLike, name: str, facts: Mapping[str, Any]) -> Path:
    """Write a picture as PNG with what :func:`record` says.

    The same picture made again with the same settings takes the place of the first; other settings get a number
    behind the name, so that results can be compared.

    Args:
        image: PIL image.
        folder: made if missing.
        name: of the file, without an ending.
        facts: anything that JSON can hold.

    Returns:
        The file.

    Raises:
        OutputError: it cannot be written.
    """
    facts = json.loads(json.dumps(facts))
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    for path in (Path(folder) / f"{each}.png" for each in names):
        if not path.exists() or read_record(path) == facts:
            save_image(image, path, text={KEYWORD: json.dumps(facts)})
            return path
    raise AssertionError("unreachable: there is always another number")


def read_record(path: str | os.PathLike) -> dict[str, Any] | None:
    """What :func:`save_result` wrote into a file; None where there is no such thing in it.

    Raises:
        InputError: there is no such file.
    """
    path = Path(path)
    try:
        with Image.open(path, formats=("PNG",)) as image:
            found = json.loads(image.text[KEYWORD])
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: check its name.") from None
    except (OSError, SyntaxError, ValueError, KeyError):  # no PNG, a damaged one, or one of somebody else
        return None
    return found if isinstance(found, dict) else None


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
