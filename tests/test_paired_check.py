from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from dataset_files import OWN, body, garment, person
from PIL import Image

from vto_utils.errors import AssetError, InputError
from vto_utils.evaluation import measures, pairs
from vto_utils.images import load_image
from vto_utils.panels.network_choice import NetworkChoice
from vto_utils.panels.paired_check import paired_check
from vto_utils.workspace import open_workspace

RULES = NetworkChoice("geometric", "geometric", "geometric")


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.delenv("VTO_WORKSPACE", raising=False)
    monkeypatch.setattr(pairs, "WEIGHTS", tmp_path / "nowhere")
    return open_workspace(tmp_path / "ws")


def test_without_pairs_one_sentence_says_how(workspace):
    with pytest.raises(InputError, match=r"Nothing is measured, for there is no .*pairs\.txt: to measure, write"):
        paired_check(workspace, RULES, "cpu")


def test_pairs_that_name_no_photo(workspace):
    (workspace.root / "pairs.txt").write_text("eve.jpg tank_top.jpg\n")
    with pytest.raises(InputError, match=r"eve\.jpg"):
        paired_check(workspace, RULES, "cpu")


class Worn:
    """A try-on of which every answer is the photo itself, a little darker."""

    asked: list[tuple]  # set by the test

    def __init__(self, device, warp, weights=None):
        self.asked.append((warp, weights))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def prepare_person(self, path, name):
        return SimpleNamespace(image=load_image(path), parsing=body())

    def prepare_garment(self, path, category):
        if path.name.startswith("empty"):
            raise InputError("empty.jpg shows no garment.")
        picture, mask = garment(1)
        return SimpleNamespace(image=picture, mask=np.asarray(mask), category="upper_body")

    def __call__(self, wearer, cloth):
        region = np.zeros(OWN, np.uint8)
        region[25:80, 20:70] = 255
        image = Image.fromarray((np.asarray(wearer.image) * 0.97).astype(np.uint8))
        return SimpleNamespace(image=image, person=wearer, garment=cloth, agnostic_mask=region)


@pytest.fixture
def measured(workspace, monkeypatch):
    monkeypatch.setattr(pairs, "TryOn", Worn)
    monkeypatch.setattr(Worn, "asked", [], raising=False)
    person().save(workspace.persons / "ann.png")
    for name in ("tee.jpg", "empty.jpg"):
        garment(1)[0].save(workspace.cloths / name)
    (workspace.root / "pairs.txt").write_text("ann.png tee.jpg\nann.png empty.jpg\n")
    return workspace


def test_figures_and_pictures(measured, monkeypatch):
    whole = measures.Meter.make

    def without_network(backbone="efficientnet-lite0", device="auto"):
        if backbone != "none":
            raise AssetError("the file cannot be fetched.")
        return whole(backbone, device)

    monkeypatch.setattr(measures.Meter, "make", without_network)
    check = paired_check(measured, RULES, "cpu")
    assert "The perceptual distance is not measured: the file cannot be fetched." in check.text
    assert "Left out: empty.jpg shows no garment." in check.text
    figures = {way: of["mean"]["ssim"] for way, of in check.figures.items()}
    assert set(figures) == {"geometric", "grey", "garment in box"}
    assert 0.95 < figures["geometric"] < 1 and figures["grey"] < figures["geometric"]
    assert f"{figures['geometric']:.4f}" in check.text
    assert check.picture.width > 5 * 192


def test_chosen_networks_are_measured_beside_the_rules(measured, monkeypatch):
    folder = measured.checkpoints / "run"
    folder.mkdir()
    (folder / "gmm.safetensors").write_bytes(b"weights")
    make = measures.Meter.make
    monkeypatch.setattr(measures.Meter, "make", lambda backbone="none", device="auto": make("none", device))
    check = paired_check(measured, NetworkChoice("run", "run", "learned", folder), "cpu")
    assert Worn.asked == [("geometric", None), ("learned", folder)]
    assert set(check.figures) == {"geometric", "learned", "grey", "garment in box"}
