"""A folder of assets: what is there is used, what is missing is named, nothing stops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vto_utils.synth.assets import load_assets
from vto_utils.synth.samples import Generator, SynthConfig


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    found = load_assets(tmp_path / "nowhere")
    assert found.people is None and found.photos is None
    assert len(found.notes) == 1 and str(tmp_path / "nowhere") in found.notes[0]


def test_an_empty_folder(tmp_path: Path) -> None:
    found = load_assets(tmp_path)
    assert found.people is None and found.photos is None and len(found.notes) == 2


@pytest.fixture
def cloth(tmp_path: Path) -> Path:
    folder = tmp_path / "clothing"
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = ["image,label,kids"]
    for name in ("one", "two"):
        photo = np.full((160, 120, 3), 250, np.uint8)
        photo[20:140, 20:100] = np.clip(rng.normal((90, 120, 60), 6, (120, 80, 3)), 0, 255)
        Image.fromarray(photo).save(folder / "images" / f"{name}.jpg")
        rows.append(f"{name},T-Shirt,False")
    rows.append("gone,T-Shirt,False")
    (folder / "images.csv").write_text("\n".join(rows))
    return tmp_path


def test_cloth_in_a_folder_inside_or_the_folder_itself(cloth: Path) -> None:
    assert len(load_assets(cloth).photos) == len(load_assets(cloth / "clothing").photos) == 2
    assert any("gone" in note for note in load_assets(cloth).notes)


def test_broken_photos_are_named_and_done_without(cloth: Path) -> None:
    for name in ("one", "two"):
        (cloth / "clothing" / "images" / f"{name}.jpg").write_bytes(b"not a picture")
    generator = Generator(SynthConfig(size=(128, 96), assets=cloth, category="upper_body"))
    assert [generator.assets.photos[index] for index in range(2)] == [None, None]
    assert sum("one.jpg" in note or "two.jpg" in note for note in generator.notes) == 2
    assert generator.sample(0).a.image.shape == (128, 96, 3)


def test_other_files_are_another_data_set(cloth: Path) -> None:
    def name() -> str:
        return Generator(SynthConfig(size=(128, 96), assets=cloth)).fingerprint

    before = name()
    assert name() == before != Generator(SynthConfig(size=(128, 96))).fingerprint
    (cloth / "clothing" / "images" / "three.jpg").write_bytes(b"more")
    assert name() != before


def test_params_do_not_tell_where_the_folder_is(cloth: Path) -> None:
    generator = Generator(SynthConfig(size=(128, 96), assets=cloth, category="upper_body", held_out=0.0))
    for index in range(400):
        plan = generator.plan(index)
        if plan.first.fabric.photo is not None:
            assert Path(plan.first.fabric.photo.path).is_file()
            params = generator.render(plan, index).params
            assert params["first"]["fabric"]["photo"]["path"].startswith("clothing/images/")
            assert str(cloth) not in str(params)
            return
    pytest.fail("no garment of photographed cloth in 400 samples")
