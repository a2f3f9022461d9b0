from __future__ import annotations

import os

import pytest
from fake_tryon import FakeTryOn
from PIL import Image

from vto_utils import fitting
from vto_utils.errors import InputError, NoPersonError
from vto_utils.panels.fitting_room import FittingRoom, TryOnSettings
from vto_utils.panels.network_choice import NetworkChoice, NetworkChoices
from vto_utils.panels.try_on_grid import try_on_grid
from vto_utils.workspace import open_workspace


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.delenv("VTO_WORKSPACE", raising=False)
    monkeypatch.setattr(fitting, "WEIGHTS", tmp_path / "nowhere")
    monkeypatch.setattr(FakeTryOn, "made", [], raising=False)
    workspace = open_workspace(tmp_path / "ws")
    names = "persons/ann.png persons/bob.png cloths/dress.png cloths/shirt.png cloths/tee.png cloths/trousers.png"
    for name in names.split():
        Image.new("RGB", (96, 128), (40, 90, 120)).save(workspace.root / name)
    return workspace


@pytest.fixture
def room(workspace):
    return FittingRoom(workspace, "cpu", 5, FakeTryOn)


def files(workspace, *names):
    return [workspace.root / name for name in names]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"category": "hat"}, "Unknown category 'hat'"),
        ({"refine": -1}, "0 or more, not -1"),
        ({"resolution": "big"}, "The resolution 'big' is no size.*'photo'"),
        ({"resolution": "32x32"}, "too small"),
    ],
)
def test_settings_that_make_no_sense(wrong, words):
    with pytest.raises(InputError, match=words):
        TryOnSettings(**wrong)


def test_size_has_the_height_first():
    assert TryOnSettings().size is None
    assert TryOnSettings(resolution="512x384").size == (512, 384)


def test_a_room_tells_the_try_on_how(room, workspace):
    person, garment = files(workspace, "persons/ann.png", "cloths/tee.png")
    result = room.dress(person, garment, TryOnSettings("dresses", refine=3), stages=True)
    assert result.category == "dresses" and list(result.stages) == ["person", "result"]
    (made,) = FakeTryOn.made
    assert made.options == {"device": "cpu", "warp": "auto", "seed": 5, "weights": None, "refine": 3}


def test_the_resolution_is_that_of_the_person(room, workspace):
    person, garment = files(workspace, "persons/ann.png", "cloths/tee.png")
    assert room.dress(person, garment, TryOnSettings()).person.image.size == (96, 128)
    assert room.dress(person, garment, TryOnSettings(resolution="256x256")).person.image.size == (256, 256)


def test_photos_are_looked_at_once_until_they_change(room, workspace):
    person, tee, shirt = files(workspace, "persons/ann.png", "cloths/tee.png", "cloths/shirt.png")
    for garment in (tee, shirt, tee):
        room.dress(person, garment, TryOnSettings())
    asked = FakeTryOn.made[0].asked
    assert sorted(asked) == ["garment shirt.png", "garment tee.png", "person ann.png"]
    Image.new("RGB", (64, 64)).save(person)
    os.utime(person, (1, 1))
    assert room.dress(person, tee, TryOnSettings()).person.image.size == (64, 64)
    room.dress(person, tee, TryOnSettings("dresses"))
    assert asked.count("person ann.png") == 2 and asked.count("garment tee.png") == 2


def test_other_networks_are_loaded_and_the_old_ones_freed(room, workspace):
    run = NetworkChoice("run", "run", "learned", workspace.checkpoints / "run")
    room.networks = NetworkChoices((*room.networks.choices, run))
    first, again = room.tryon(TryOnSettings()), room.tryon(TryOnSettings("dresses"))
    assert first is again
    second = room.tryon(TryOnSettings(networks="run"))
    assert first.closed and not second.closed
    assert (second.options["weights"], second.warp) == (workspace.checkpoints / "run", "learned")
    with pytest.raises(InputError, match="no networks named 'walk'.*choose one of auto, run"):
        room.tryon(TryOnSettings(networks="walk"))
    assert room.tryon(TryOnSettings(networks="run")) is second


def test_networks_that_cannot_be_loaded_leave_the_old_ones(workspace):
    class Broken(FakeTryOn):
        def __init__(self, **options):
            if options["weights"]:
                raise InputError("damaged")
            super().__init__(**options)

    room = FittingRoom(workspace, make=Broken)
    room.networks = NetworkChoices((*room.networks.choices, NetworkChoice("run", "run", "learned", workspace.root)))
    first = room.tryon(TryOnSettings())
    with pytest.raises(InputError, match="damaged"):
        room.tryon(TryOnSettings(networks="run"))
    assert room.tryon(TryOnSettings()) is first and not first.closed


def test_an_outfit_is_the_garment_and_the_first_that_goes_with_it(room, workspace):
    person, tee, trousers = files(workspace, "persons/ann.png", "cloths/tee.png", "cloths/trousers.png")
    (workspace.cloths / "broken.png").write_text("no photo")
    looks = room.outfit(person, tee, workspace.cloth_files(), TryOnSettings("dresses"))
    assert [look.category for look in looks] == ["lower_body", "upper_body"]
    looks = room.outfit(person, trousers, workspace.cloth_files(), TryOnSettings())
    assert [look.category for look in looks] == ["lower_body", "upper_body"]


def test_outfits_that_cannot_be(room, workspace):
    person, dress, tee, shirt = files(
        workspace, "persons/ann.png", "cloths/dress.png", "cloths/tee.png", "cloths/shirt.png"
    )
    with pytest.raises(InputError, match="dress.png is a dress, which is worn alone"):
        room.outfit(person, dress, workspace.cloth_files(), TryOnSettings())
    with pytest.raises(InputError, match="Nothing goes with tee.png: put a photo of trousers or a skirt"):
        room.outfit(person, tee, [tee, shirt], TryOnSettings())


def test_grid_of_people_and_garments(room, workspace):
    grid = try_on_grid(room, workspace.person_files(), workspace.cloth_files()[:3], cell=(64, 48))
    assert (grid.count, grid.notes) == (6, ())
    assert grid.picture.width == 4 * 58 + 10


def test_grid_goes_on_without_what_cannot_be_used(room, workspace):
    for name in ("persons/legless.png", "persons/nobody.png"):
        Image.new("RGB", (96, 128)).save(workspace.root / name)
    (workspace.cloths / "broken.png").write_text("no photo")
    garments = files(workspace, "cloths/broken.png", "cloths/tee.png", "cloths/trousers.png")
    grid = try_on_grid(room, workspace.person_files(), garments, cell=(64, 48))
    assert grid.count == 5
    broken, legless, nobody = grid.notes
    assert "broken.png" in broken and "nobody is visible" in nobody
    assert legless.startswith("trousers.png: legless.png: the hips")


def test_grid_of_nothing(room, workspace):
    Image.new("RGB", (96, 128)).save(workspace.persons / "nobody.png")
    nobody, tee = files(workspace, "persons/nobody.png", "cloths/tee.png")
    with pytest.raises(InputError, match="at least one photo"):
        try_on_grid(room, [], [tee])
    with pytest.raises(InputError, match="nobody is visible"):
        try_on_grid(room, [nobody], [tee])
    with pytest.raises(NoPersonError):
        room.person(nobody, TryOnSettings())
    with pytest.raises(InputError, match="does not exist"):
        room.person(workspace.persons / "gone.png", TryOnSettings())
