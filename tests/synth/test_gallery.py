"""The sample images are what their recipes say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vto_utils.errors import InputError
from vto_utils.synth.gallery import RECIPES, main, read_recipes, render_gallery
from vto_utils.synth.plans import draw_plan

SAMPLES = Path(__file__).parents[2] / "sample_images"


def small(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB").resize((48, 64), Image.Resampling.BOX), np.float32)


def test_every_sample_photo_has_a_recipe() -> None:
    size, recipes = read_recipes(SAMPLES / RECIPES)
    photos = [path for folder in ("person", "cloth") for path in (SAMPLES / folder).glob("*.jpg")]
    assert {path.relative_to(SAMPLES).as_posix() for path in photos} == set(recipes)
    for path in photos:
        with Image.open(path) as photo:
            assert photo.size[::-1] == size


def test_sample_photos_are_renders_of_their_recipes(tmp_path: Path) -> None:
    recipes = json.loads((SAMPLES / RECIPES).read_text())
    chosen = ("person/person_2.jpg", "cloth/long_sleeve.jpg")
    recipes["pictures"] = {name: recipes["pictures"][name] for name in chosen}
    (tmp_path / RECIPES).write_text(json.dumps(recipes))
    render_gallery(tmp_path, (512, 384))
    for name in chosen:
        with Image.open(tmp_path / name) as made, Image.open(SAMPLES / name) as kept:
            # rendered at half the size: fine edges differ, nothing else
            assert np.abs(small(made) - small(kept)).mean() < 2.5, name


def recipes_with(**changes: object) -> dict:
    plan = draw_plan(0, 0, "upper_body", 0.0).as_dict()
    return {"size": [128, 96], "pictures": {"a.jpg": {"shows": "person", "plan": plan, **changes}}}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read"),
        ("{", "is not JSON"),
        (json.dumps([]), "cannot be followed"),
        (json.dumps({"size": [128, 96], "pictures": {"a.jpg": {"shows": "shoe", "plan": {}}}}), "shoe"),
        (json.dumps({"size": [128, 96], "pictures": {"a.jpg": {"shows": "person", "plan": {"pose": 1}}}}), "first"),
    ],
)
def test_bad_recipes(text: str | None, says: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    if text is not None:
        (tmp_path / RECIPES).write_text(text)
    with pytest.raises(InputError, match=says):
        read_recipes(tmp_path / RECIPES)
    assert main([str(tmp_path)]) == 2
    assert says in capsys.readouterr().err


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / RECIPES).write_text(json.dumps(recipes_with()))
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as picture:
        assert picture.size == (96, 128)
    assert main([]) == 2
