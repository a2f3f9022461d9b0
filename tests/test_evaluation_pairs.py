"""Whole try-ons compared with photos of people who wear that garment."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import samples
from dataset_files import OWN, body, garment, person
from PIL import Image

from vto_utils.__main__ import main
from vto_utils.errors import InputError
from vto_utils.evaluation import pairs, tables
from vto_utils.labels import ID


def result(ids: np.ndarray | None = None, category: str = "upper_body") -> SimpleNamespace:
    """What a try-on gives, as far as the trivial answers look at it."""
    ids = body() if ids is None else ids
    region = np.zeros(OWN, np.uint8)
    region[25:80, 20:70] = 255
    picture, mask = garment(1)
    return SimpleNamespace(
        person=SimpleNamespace(image=person(), parsing=ids),
        garment=SimpleNamespace(image=picture, mask=np.asarray(mask), category=category),
        agnostic_mask=region,
    )


def test_trivial_answers():
    found = result()
    photo, region = np.asarray(found.person.image), found.agnostic_mask > 0
    grey, box = (np.asarray(make(found)) for make in (pairs.greyed, pairs.boxed))
    assert (grey[region] == 128).all() and (grey[~region] == photo[~region]).all()
    ys, xs = np.nonzero(found.person.parsing == ID["upper-clothes"])
    inside = np.zeros(OWN, bool)
    inside[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1] = True
    colour = np.asarray(found.garment.image)[60, 48]
    assert (box[inside & region] == colour).all()
    assert (box[~inside] == grey[~inside]).all() and (box[~region] == photo[~region]).all()


def test_without_an_old_garment_the_region_is_the_box():
    found = result(np.where(body() == ID["upper-clothes"], ID["torso-skin"], body()).astype(np.uint8))
    box = np.asarray(pairs.boxed(found))
    assert (box[25:80, 20:70] == np.asarray(found.garment.image)[60, 48]).all()


@pytest.mark.parametrize(
    ("own", "shown"), [((1024, 768), (512, 384)), ((600, 600), (384, 384)), ((100, 80), (100, 80))]
)
def test_pictures_keep_their_proportions(own, shown):
    assert pairs.shrunk(Image.new("RGB", own[::-1]), (512, 384)).size == shown[::-1]


def test_lists_of_pairs(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        garment()[0].save(tmp_path / name)
    listing = tmp_path / "pairs.txt"
    listing.write_text("a.jpg a.jpg\n# no pair\na.jpg b.jpg lower_body\n")
    found = pairs.true_pairs(listing, tmp_path, tmp_path)
    assert [pair.name for pair in found] == ["a.jpg", "a.jpg b.jpg"]
    assert [pair.category for pair in found] == ["auto", "lower_body"]
    listing.write_text("a.jpg c.jpg\n")
    with pytest.raises(InputError, match=r"There is no .*c\.jpg, which .*pairs\.txt names"):
        pairs.true_pairs(listing, tmp_path, tmp_path)
    with pytest.raises(InputError, match=r"There is no .*other\.txt"):
        pairs.true_pairs(tmp_path / "other.txt", tmp_path, tmp_path)


def test_tables_of_pairs():
    rows = {"geometric": [{"ssim": 0.9, "perceptual": 0.25}, {"ssim": 0.8, "perceptual": None}]}
    found = pairs.FoundPairs(names=["a.jpg", "b.jpg"], rows=rows).figures()
    assert found["figures"]["geometric"]["mean"] == {"ssim": pytest.approx(0.85), "perceptual": 0.25}
    first, second = tables.format_pairs(found).split("\n\n")
    assert [line.split() for line in first.splitlines()] == [
        ["SSIM", "geometric"], ["a.jpg", "0.9000"], ["b.jpg", "0.8000"], ["mean", "0.8500"]
    ]  # fmt: skip
    assert second.splitlines()[2].split() == ["b.jpg", "-"]


def test_the_command(tmp_path, capsys, model_files):
    """One photo of a person, and one of a garment in its place, which is refused."""
    samples.photo("person_1", (384, 288)).save(tmp_path / "person.png")
    cloth = samples.FOLDER / "cloth" / "tshirt_print.jpg"
    for name in ("top.jpg", "nobody.jpg"):
        shutil.copy(cloth, tmp_path / name)
    (tmp_path / "pairs.txt").write_text("person.png top.jpg upper_body\nnobody.jpg top.jpg\n")
    options = ["--pairs", str(tmp_path / "pairs.txt"), "--persons", str(tmp_path), "--garments", str(tmp_path)]
    options += ["--size", "128x96", "--perceptual", "none", "--device", "cpu"]
    out = [str(tmp_path / name) for name in ("f.json", "s.png")]
    assert main(["evaluate", *options, "--json", out[0], "--sheet", out[1]]) == 0
    text = capsys.readouterr().out
    assert text.count("Left out: nobody.jpg") == 1
    with open(out[0], encoding="utf-8") as file:
        report = json.load(file)
    assert report["pairs"] == {"file": "pairs.txt", "count": 2, "refused": 1}
    assert report["names"] == ["person.png top.jpg"]
    assert {"geometric", pairs.BOX, pairs.GREY} <= set(report["figures"])
    means = {name: figures["mean"]["ssim"] for name, figures in report["figures"].items()}
    assert means["geometric"] > means[pairs.GREY]  # a T-shirt is more like the top worn than grey is
    with Image.open(out[1]) as sheet:
        assert sheet.width > 5 * 192


def test_no_pair_can_be_measured(tmp_path, capsys, model_files):
    garment()[0].save(tmp_path / "nobody.png")
    (tmp_path / "pairs.txt").write_text("nobody.png nobody.png\n")
    options = ["--pairs", str(tmp_path / "pairs.txt"), "--persons", str(tmp_path), "--garments", str(tmp_path)]
    assert main(["evaluate", *options, "--perceptual", "none", "--device", "cpu"]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("None of the pairs could be measured, the first one for this: nobody.png")
