from __future__ import annotations

import json

import ipywidgets
import pytest
from fake_tryon import FakeTryOn
from PIL import Image

from vto_utils import fitting
from vto_utils.errors import InputError, NoPersonError
from vto_utils.panels.fitting_room import FittingRoom, TryOnSettings
from vto_utils.panels.network_choice import NetworkChoice, NetworkChoices
from vto_utils.panels.result_files import read_record
from vto_utils.panels.try_on_panel import explained, try_on_panel
from vto_utils.workspace import open_workspace


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.delenv("VTO_WORKSPACE", raising=False)
    monkeypatch.setattr(fitting, "WEIGHTS", tmp_path / "nowhere")
    monkeypatch.setattr(FakeTryOn, "made", [], raising=False)
    return open_workspace(tmp_path / "ws")


@pytest.fixture
def room(workspace):
    for name in ("persons/ann.png", "persons/nobody.jpg", "cloths/shirt.png", "cloths/trousers.png"):
        Image.new("RGB", (48, 64), (40, 90, 120)).save(workspace.root / name)
    return FittingRoom(workspace, make=FakeTryOn)


class Handle:
    def __init__(self):
        self.shown = []

    def update(self, thing):
        self.shown.append(thing)


@pytest.fixture
def shown(monkeypatch):
    """What is displayed: the things one after the other, and the handles of what can be updated."""
    import IPython.display

    things, handles = [], []

    def display(*objects, display_id=None):
        things.extend(objects)
        if display_id:
            handles.append(Handle())
            return handles[-1]

    monkeypatch.setattr(IPython.display, "display", display)
    return things, handles


def test_runs_without_a_click(room):
    panel = try_on_panel(room)
    assert panel.value == TryOnSettings()
    result = panel.run()
    assert panel.result is result and result.image.size == (96, 64)
    assert panel.saved == room.workspace.results / "ann--shirt.png"
    assert read_record(panel.saved)["settings"]["category"] == "auto"
    assert result.stages == {} and panel.run(stages=True).stages


def test_follows_what_is_set(room):
    run = NetworkChoice("run/best", "run/best, step 9", "learned", room.workspace.checkpoints / "run")
    room.networks = NetworkChoices((*room.networks.choices, run))
    panel = try_on_panel(room)
    panel.garment.buttons["trousers.png"].click()
    panel.category.value, panel.refine.value, panel.resolution.value = "dresses", 25, "512x384"
    panel.networks.value = "run/best"
    assert panel.value == TryOnSettings("dresses", "run/best", 25, "512x384")
    panel.button.click()
    assert panel.result.category == "dresses" and panel.result.person.image.size == (384, 512)
    assert FakeTryOn.made[-1].options["refine"] == 25
    assert panel.saved.name == "ann--trousers.png"
    assert panel.message == "" and not panel.button.disabled


def test_starts_with_what_is_asked_for(room):
    panel = try_on_panel(room, "nobody.jpg", "trousers.png", "lower_body", "geometric", 150, "800x600")
    assert (panel.person.value, panel.garment.value) == ("nobody.jpg", "trousers.png")
    assert panel.value == TryOnSettings("lower_body", "geometric", 150, "800x600")


def test_a_click_shows_the_result_and_the_steps_on_demand(room, shown):
    things, handles = shown
    panel = try_on_panel(room)
    panel._ipython_display_()
    assert panel.widget in things and "base64" in things[0].data
    panel.button.click()
    panel.stages.value = True
    panel.button.click()
    pictures, steps = (handle.shown for handle in handles)
    assert [repr(picture).startswith("before and after") for picture in pictures] == [True, True]
    assert steps[0].data == "" and isinstance(steps[1], Image.Image)


def test_no_picture_gets_into_widget_state(room, shown):
    panel = try_on_panel(room)
    panel._ipython_display_()
    panel.stages.value = True
    panel.button.click()
    assert "Saved as" in panel._status.value
    state = ipywidgets.Widget.get_manager_state()["state"]
    own = {key: state[key] for key in (panel.widget.model_id, panel.person.widget.model_id, panel._status.model_id)}
    assert len(own) == 3
    text = json.dumps(state)
    assert not [sign for sign in ("data:image", "image/png", "image/jpeg", "base64", "/9j/", "iVBOR") if sign in text]
    assert "ImageModel" not in text


def test_says_what_went_wrong(room, shown):
    panel = try_on_panel(room, person="nobody.jpg")
    panel._ipython_display_()
    panel.button.click()
    assert panel.message == "nobody.jpg: nobody is visible."
    assert panel.message in panel._status.value
    assert panel.result is None and panel.saved is None and not panel.button.disabled
    assert list(room.workspace.results.iterdir()) == []
    with pytest.raises(NoPersonError):
        panel.run()


def test_an_unexpected_error_is_said_too(room, shown, caplog):
    panel = try_on_panel(room)
    room.dress = None
    panel.button.click()
    assert panel.message.startswith("TypeError: ") and "TypeError" in panel._status.value
    assert not panel.button.disabled


def test_text_of_messages_is_no_html(room):
    panel = try_on_panel(room)
    panel._say("<b>bold</b>\nnext")
    assert panel._status.value == "&lt;b&gt;bold&lt;/b&gt;<br>next"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"person": "eve.jpg"}, "no eve.jpg in"),
        ({"garment": "hat.jpg"}, "no hat.jpg in"),
        ({"category": "hat"}, "Unknown category 'hat'"),
        ({"networks": "run"}, "no networks named 'run': choose one of auto"),
        ({"resolution": "big"}, "The resolution 'big' is no size"),
    ],
)
def test_what_is_missing_is_one_sentence(room, capsys, options, words):
    panel = try_on_panel(room, **options)
    panel._ipython_display_()
    assert capsys.readouterr().out == panel.message + "\n"
    assert words in panel.message
    for use in (panel.run, panel.outfit, lambda: panel.value):
        with pytest.raises(InputError, match=words):
            use()


def test_empty_folders_are_one_sentence(workspace, capsys):
    panel = try_on_panel(FittingRoom(workspace, make=FakeTryOn))
    panel._ipython_display_()
    with explained():
        panel.run()
        raise AssertionError("run must not return")
    sentence = f"There is no photo in {workspace.persons}: put one there and run this cell again.\n"
    assert capsys.readouterr().out.endswith(2 * sentence)
    assert FakeTryOn.made == []


def test_explained_hides_no_other_error():
    with pytest.raises(ZeroDivisionError), explained():
        raise ZeroDivisionError


def test_outfit_is_saved_with_both_kinds(room):
    panel = try_on_panel(room)
    looks = panel.outfit()
    assert [look.category for look in looks] == ["lower_body", "upper_body"]
    assert panel.saved.name == "ann--shirt-outfit.png"
    assert read_record(panel.saved)["category"] == ["lower_body", "upper_body"]


def test_the_way_that_is_used_is_named(room, capsys):
    try_on_panel(room)._ipython_display_()
    assert "geometric warp (no trained networks come with this version)" in capsys.readouterr().out
