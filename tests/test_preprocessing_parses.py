"""Folders of photos whose owner brings label maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vto_utils import labels
from vto_utils.errors import InputError
from vto_utils.label_schemes import from_cihp, guess_scheme
from vto_utils.preprocessing import preprocess_folders
from vto_utils.tryon import TryOn

SAMPLES = Path(__file__).resolve().parent.parent / "sample_images"
SIZE = (256, 192)  # height, width


def copy_photo(source: str, target: Path, size: tuple[int, int]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(SAMPLES / source) as image:
        image.resize(size[::-1], Image.Resampling.LANCZOS).save(target)


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image)


@pytest.fixture(scope="module")
def made(model_files, tmp_path_factory):
    """(folders, data set without own label maps, the models)."""
    root = tmp_path_factory.mktemp("parses")
    copy_photo("person/person_1.jpg", root / "person/anna.jpg", SIZE)
    copy_photo("cloth/tank_top.jpg", root / "cloth/top.jpg", SIZE)
    with TryOn(device="cpu") as models:
        assert preprocess_folders(root / "person", root / "cloth", root / "own", False, models, SIZE).done == 2
        yield root, root / "own/test", models


def test_own_label_maps_replace_the_found_ones(made, tmp_path):
    root, plain, models = made
    parsing = read(plain / "image-parse-v3/anna.png")
    parsing[parsing == labels.ID["upper-clothes"]] = labels.ID["coat"]
    Image.fromarray(labels.palette()[parsing]).save(tmp_path / "anna.png")  # as a coloured picture

    def run():
        return preprocess_folders(
            root / "person", root / "cloth", tmp_path / "set", False, models, SIZE, parses=tmp_path
        )

    report = run()
    assert (report.done, report.failed) == (2, [])
    np.testing.assert_array_equal(read(tmp_path / "set/test/image-parse-v3/anna.png"), parsing)
    # A coat is an upper garment as well, so the region is the same, and what is left follows the new labels.
    region = read(tmp_path / "set/test/agnostic-mask/anna_mask.png") > 0
    np.testing.assert_array_equal(region, read(plain / "agnostic-mask/anna_mask.png") > 0)
    rest = read(tmp_path / "set/test/image-parse-agnostic-v3.2/anna.png")
    np.testing.assert_array_equal(rest, np.where(region, 0, parsing))

    assert run().skipped == 2
    parsing[parsing == labels.ID["coat"]] = labels.ID["dress"]
    Image.fromarray(parsing).save(tmp_path / "anna.png")
    report = run()
    assert (report.done, report.skipped) == (1, 1)  # the person whose label map changed
    np.testing.assert_array_equal(read(tmp_path / "set/test/image-parse-v3/anna.png"), parsing)


def test_schemes_of_a_photographed_person_are_told_apart(made):
    parsing = read(made[1] / "image-parse-v3/anna.png")
    assert guess_scheme(parsing) == "cihp"
    for scheme in ("atr", "acgpn"):
        assert guess_scheme(from_cihp(parsing, scheme)) == scheme


def test_label_maps_are_fitted_like_their_photos(made, tmp_path):
    root, plain, models = made
    with Image.open(root / "person/anna.jpg") as image:
        tall = Image.new("RGB", (192, 512), "white")
        tall.paste(image, (0, 128))
    (tmp_path / "person").mkdir()
    tall.save(tmp_path / "person/anna.png")
    parsing = np.pad(read(plain / "image-parse-v3/anna.png"), ((128, 128), (0, 0)))
    (tmp_path / "parse").mkdir()
    np.save(tmp_path / "parse/anna.npy", parsing)
    report = preprocess_folders(
        tmp_path / "person", root / "cloth", tmp_path / "set", False, models, SIZE, parses=tmp_path / "parse"
    )
    assert (report.done, report.failed) == (2, [])
    written = read(tmp_path / "set/test/image-parse-v3/anna.png")
    np.testing.assert_array_equal(written, labels.fit(parsing, SIZE))
    assert not written[:, :48].any() and not written[:, -48:].any() and written[:, 48:-48].any()


def test_missing_and_unusable_label_maps_are_listed(made, tmp_path):
    root, _, models = made
    folder = tmp_path / "parse"
    arguments = (root / "person", root / "cloth", tmp_path / "set", False, models, SIZE)
    with pytest.raises(InputError, match=r"There is no folder .*parse: give the folder of label maps"):
        preprocess_folders(*arguments, parses=folder)
    folder.mkdir()
    ((photo, reason),) = preprocess_folders(*arguments, parses=folder).failed
    assert photo.name == "anna.jpg" and reason == f"anna.jpg has no label map {folder / 'anna.png'}: add it."
    Image.fromarray(np.full((256, 192), 5, np.uint8)).save(folder / "anna.png", format="JPEG")
    ((photo, reason),) = preprocess_folders(*arguments, parses=folder).failed
    assert reason.startswith(f"anna.jpg: {folder / 'anna.png'} is a JPEG, which changes ids")
    labels.to_palette_image(np.zeros((192, 256), np.uint8)).save(folder / "anna.png")
    ((photo, reason),) = preprocess_folders(*arguments, parses=folder).failed
    assert "is 192 high and 256 wide, but its photo 256 high and 192 wide" in reason
