from __future__ import annotations

from pathlib import Path

import pytest
import samples
from dataset_files import SIZE, save, write

from vto_utils.datasets import open_dataset
from vto_utils.errors import InputError
from vto_utils.labels import ID


def refused(root: Path, **options) -> str:
    with pytest.raises(InputError) as caught:
        open_dataset(root, size=SIZE, progress=False, tryon=samples.tryon(), **options)
    return str(caught.value)


def folder(root: Path, lines: str, persons: str = "persons", cloths: str = "cloths") -> Path:
    save(samples.photo("person_3"), root / persons / "first one.jpg".replace(" ", "."))
    save(samples.photo("tshirt_print"), root / cloths / "shirt.png")
    save(samples.photo("trousers"), root / cloths / "jeans.jpg")
    write(root / "pairs.txt", lines)
    return root


def test_photos_are_prepared_once(tmp_path, model_files):
    """Real models, once: labels, key points and masks are found, then read from the cache."""
    root = folder(tmp_path, "first.one.jpg shirt.png\nfirst.one.jpg jeans.jpg\nfirst.one.jpg shirt.png dresses\n")
    dataset = open_dataset(root, size=SIZE, progress=False, tryon=samples.tryon(), pairing="unpaired")
    assert dataset.layout == "two folders" and "3 pairs of pairs.txt, unpaired" in str(dataset)
    assert (root / "prepared/test/image/first_one.jpg").is_file()
    items = [dataset[number] for number in range(3)]
    assert [int(item["category"]) for item in items] == [0, 1, 2]  # by the outline, unless the list says it
    assert [item["cloth_name"] for item in items] == ["shirt", "jeans", "shirt"]
    for item in items:
        assert {ID["face"], ID["pants"]} <= set(item["parse"].unique().tolist())
        assert (item["keypoints"][:, 2] > 0.5).sum() > 12 and item["agnostic_mask"].any()
        assert 0.1 < item["cloth_mask"].mean() < 0.7 and not item["has_target"]
    assert items[0]["agnostic_mask"].ne(items[1]["agnostic_mask"]).any()

    again = open_dataset(root, size=SIZE, progress=False, tryon=_Unwanted())  # nothing is left to find
    assert again[0]["has_target"] and again[0]["person"].equal(items[0]["person"])

    write(root / "persons" / "nobody.jpg", "no photo at all")
    write(root / "pairs.txt", "first.one.jpg shirt.png\nnobody.jpg shirt.png\n")
    said = refused(root)
    assert said.startswith(f"1 of 2 pairs of {root}/pairs.txt have photos that cannot be used (persons/nobody.jpg)")
    skipped = open_dataset(root, size=SIZE, progress=False, tryon=samples.tryon(), incomplete="skip")
    assert len(skipped) == 1 and skipped[0]["name"] == "first_one"


class _Unwanted:
    def prepare_person(self, image):
        raise AssertionError("the photo was prepared before")

    prepare_garment = prepare_person


def test_photos_that_are_not_there(tmp_path):
    root = folder(tmp_path, "first.one.jpg shirt.jpg\nfirst.one.jpg jeans.jpg\nanna.jpg shirt.jpg\n")
    said = refused(root)
    assert said.startswith(f"2 of 3 pairs of {root}/pairs.txt name photos that are not there")
    assert "cloths/shirt.jpg, persons/anna.jpg; copy them there, or remove the pairs." in said


def test_no_list(tmp_path):
    root = folder(tmp_path, "x y\n", "person", "cloth")
    (root / "pairs.txt").unlink()
    assert f"There is no {root}/pairs.txt: write one with a line 'PERSON.jpg GARMENT.jpg'" in refused(root)
