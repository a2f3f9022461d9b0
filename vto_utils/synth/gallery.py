"""Pictures made from recipes: the sample images are renders of plans that lie beside them.

    python -m vto_utils.synth.gallery sample_images

reads ``recipes.json`` in the folder and renders every picture it names anew. A recipe names a plan (`plans.Plan`), of
which it can change parts, and what to show of it: ``person`` (in the plan's first garment) or ``garment`` (that garment
laid flat).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from PIL import Image

from ..errors import InputError
from ..images import save_image
from .plans import Plan
from .samples import Generator, SynthConfig

RECIPES = "recipes.json"
SHOWN = ("person", "garment")


def read_recipes(path: Path) -> tuple[tuple[int, int], dict[str, tuple[Plan, str]]]:
    """The pictures' size (height, width), and for each file its plan and what to show of it.

    Raises:
        InputError: the file is missing, is not JSON, or a recipe lacks something or has something unknown in it.
    """
    try:
        recipes = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give the folder that it is in.") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}); get it anew.") from error
    found = {}
    try:
        for name, recipe in recipes["pictures"].items():
            if recipe["shows"] not in SHOWN:
                raise ValueError(f"shows is {recipe['shows']!r}, not one of {', '.join(SHOWN)}")
            found[name] = Plan.from_dict(recipe["plan"]), recipe["shows"]
        height, width = (int(n) for n in recipes["size"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} has a recipe that cannot be followed ({error}); get it anew.") from error
    return (height, width), found


def render_gallery(folder: Path, size: tuple[int, int] | None = None) -> list[Path]:
    """Render every picture of the folder's recipes.

    Args:
        folder: with ``recipes.json``; the pictures are written there.
        size: height and width in pixels, instead of the recipes' own.

    Raises:
        InputError: see `read_recipes`.
    """
    own, recipes = read_recipes(folder / RECIPES)
    generator = Generator(SynthConfig(size=size or own))
    written = []
    for name, (plan, shown) in recipes.items():
        sample = generator.render(plan)
        picture = sample.a.image if shown == "person" else sample.flat_a.image
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        save_image(Image.fromarray(picture), target)
        written.append(target)
    return written


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m vto_utils.synth.gallery FOLDER", file=sys.stderr)
        return 2
    try:
        for path in render_gallery(Path(arguments[0])):
            print(path)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
