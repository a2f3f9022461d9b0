from __future__ import annotations

import json

import pytest
from fake_tryon import FakeTryOn
from PIL import Image

from vto_utils import fitting
from vto_utils.errors import InputError, OutputError
from vto_utils.images import save_image
from vto_utils.panels.fitting_room import FittingRoom, TryOnSettings
from vto_utils.panels.network_choice import NetworkChoice, NetworkChoices
from vto_utils.panels.result_files import KEYWORD, read_record, record, save_result
from vto_utils.workspace import open_workspace

CAMERA, PLACE = "SecretCamera 3000", "Hidden Lane 7"


@pytest.fixture
def room(tmp_path, monkeypatch):
    monkeypatch.delenv("VTO_WORKSPACE", raising=False)
    monkeypatch.setattr(fitting, "WEIGHTS", tmp_path / "nowhere")
    monkeypatch.setattr(FakeTryOn, "made", [], raising=False)
    workspace = open_workspace(tmp_path / "ws")
    exif = Image.Exif()
    exif[0x010F], exif[0x010E] = CAMERA, PLACE
    for name in ("persons/ann.jpg", "cloths/shirt.jpg"):
        Image.new("RGB", (48, 64), (40, 90, 120)).save(workspace.root / name, exif=exif, comment=PLACE)
    return FittingRoom(workspace, "cpu", 5, FakeTryOn)


def dressed(room, settings):
    person, garment = room.workspace.persons / "ann.jpg", room.workspace.cloths / "shirt.jpg"
    return room.dress(person, garment, settings)


def test_round_trip(room, tmp_path):
    settings = TryOnSettings("dresses", "auto", 20, "64x64")
    result = dressed(room, settings)
    facts = record(room, settings, [result])
    path = save_result(result.image, tmp_path / "out", "ann--shirt", facts)
    assert path == tmp_path / "out" / "ann--shirt.png"
    found = read_record(path)
    assert found == json.loads(json.dumps(facts))
    assert found["settings"] == {"category": "dresses", "networks": "own", "refine": 20, "resolution": "64x64"}
    assert (found["category"], found["warp"], found["seed"], found["weights"]) == (["dresses"], "geometric", 5, None)
    assert found["program"].startswith("vto_utils ") and {"python", "torch", "numpy"} <= set(found["versions"])
    with Image.open(path) as image:
        assert image.tobytes() == result.image.tobytes()


def test_networks_are_named_by_their_hashes_alone(room, tmp_path):
    folder = room.workspace.checkpoints / "anns-run"
    folder.mkdir()
    (folder / "config.json").write_text('{"files": {"gmm.safetensors": "ab", "tom.safetensors": "cd"}}')
    choice = NetworkChoice("anns-run", "anns-run, step 3", "learned", folder)
    room.networks = NetworkChoices((*room.networks.choices, choice))
    settings = TryOnSettings(networks="anns-run")
    facts = record(room, settings, [dressed(room, settings)])
    assert facts["weights"] == {"gmm.safetensors": "ab", "tom.safetensors": "cd"}
    assert (facts["warp"], facts["settings"]["networks"]) == ("learned", "trained")
    assert "anns-run" not in json.dumps(facts)


def test_nothing_tells_of_the_photos(room, tmp_path):
    result = dressed(room, TryOnSettings())
    result.image.info.update(exif=b"Exif\0\0" + CAMERA.encode(), comment=PLACE, icc_profile=b"x" * 128)
    path = save_result(result.image, tmp_path / "out", "ann--shirt", record(room, TryOnSettings(), [result]))
    with Image.open(path) as image:
        image.load()
        assert set(image.info) == set(image.text) == {KEYWORD}
        assert not image.getexif()
        text = image.text[KEYWORD]
    data = path.read_bytes()
    for secret in (CAMERA, PLACE, "ann", "shirt", str(tmp_path), "persons", "checkpoints"):
        assert secret not in text and secret.encode() not in data.replace(text.encode(), b"")
    assert "/" not in text and "\\\\" not in text


def test_same_settings_replace_and_others_get_a_number(room, tmp_path):
    image = Image.new("RGB", (8, 8))
    first = save_result(image, tmp_path, "look", {"refine": 0})
    assert save_result(image, tmp_path, "look", {"refine": 0}) == first
    second = save_result(image, tmp_path, "look", {"refine": 20})
    assert second.name == "look-2.png"
    assert save_result(image, tmp_path, "look", {"refine": 20}) == second
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["look-2.png", "look.png"]


def test_a_picture_of_somebody_else_is_not_replaced(tmp_path):
    Image.new("RGB", (8, 8), "red").save(tmp_path / "look.png")
    assert save_result(Image.new("RGB", (8, 8)), tmp_path, "look", {}).name == "look-2.png"
    with Image.open(tmp_path / "look.png") as image:
        assert image.getpixel((0, 0)) == (255, 0, 0)


def test_files_without_a_record(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.jpg")
    (tmp_path / "torn.png").write_bytes((tmp_path / "plain.png").read_bytes()[:20])
    assert [read_record(tmp_path / name) for name in ("plain.png", "photo.jpg", "torn.png")] == [None] * 3
    with pytest.raises(InputError, match="gone.png does not exist"):
        read_record(tmp_path / "gone.png")


def test_only_png_takes_texts(tmp_path):
    with pytest.raises(OutputError, match="save it as .png"):
        save_image(Image.new("RGB", (8, 8)), tmp_path / "a.jpg", text={"a": "b"})
    assert list(tmp_path.iterdir()) == []
    save_image(Image.new("RGB", (8, 8)), tmp_path / "a.png", text={"a": "Größe, 大"})
    with Image.open(tmp_path / "a.png") as image:
        assert image.text == {"a": "Größe, 大"}
