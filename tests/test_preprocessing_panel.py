from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace

import ipywidgets
import numpy as np
import pytest
from PIL import Image

from vto_utils import labels
from vto_utils.errors import InputError, NoPersonError
from vto_utils.images import load_image
from vto_utils.panels.data_set_sheet import data_set_sheet
from vto_utils.panels.photo_upload import UploadButton, ask_on_colab, save_uploads
from vto_utils.panels.preprocessing_panel import preprocessing_panel
from vto_utils.panels.preprocessing_stages import (
    STAGES,
    GarmentStages,
    Stages,
    StageSettings,
    look,
    look_at_person,
    people_in,
)
from vto_utils.pose import KEYPOINT_NAMES, Pose
from vto_utils.segmentation import Segmentation, choose_component
from vto_utils.workspace import open_workspace

SKY = (230, 230, 230)
SHIRT, CLOTH = (40, 80, 160), (150, 30, 40)
JOINTS = {
    "nose": (0, -60), "neck": (0, 0), "right_shoulder": (-60, 0), "left_shoulder": (60, 0),
    "right_elbow": (-90, 100), "left_elbow": (90, 100), "right_wrist": (-95, 190), "left_wrist": (95, 190),
    "right_hip": (-35, 190), "left_hip": (35, 190), "right_knee": (-35, 320), "left_knee": (35, 320),
    "right_ankle": (-35, 420), "left_ankle": (35, 420), "right_eye": (-15, -70), "left_eye": (15, -70),
    "right_ear": (-30, -60), "left_ear": (30, -60),
}  # fmt: skip
PARTS = {
    "face": (-30, -100, 30, -10), "pants": (-60, 190, 60, 430), "upper-clothes": (-70, -10, 70, 195),
    "left-arm": (75, 10, 105, 210), "right-arm": (-105, 10, -75, 210),
}  # fmt: skip


def draw_people(*middles: int, size=(600, 450)) -> tuple[Image.Image, np.ndarray]:
    """A photo with people whose necks are at x, and its labels."""
    parsing = np.zeros(size, np.uint8)
    for middle in middles:
        for name, (x0, y0, x1, y1) in PARTS.items():
            parsing[150 + y0 : 150 + y1, max(middle + x0, 0) : middle + x1] = labels.ID[name]
            if "arm" in name:  # no gap: a person is one piece
                parsing[200:215, middle - 105 : middle + 105] = labels.ID["upper-clothes"]
    image = np.where(parsing[..., None] > 0, 0, SKY).astype(np.uint8)
    image[parsing > 0] = labels.palette()[parsing[parsing > 0]]
    image[parsing == labels.ID["upper-clothes"]] = SHIRT
    return Image.fromarray(image), parsing


class Models:
    """The try-on's models for drawn photos: what is not sky is a person, who stands upright."""

    made = 0

    def __init__(self, **options):
        type(self).made += 1
        self.options = options
        self.looked = []
        self.remover = SimpleNamespace(remove=lambda image: image)
        self.segmenter = SimpleNamespace(segment=self.segment)
        self.poses = SimpleNamespace(estimate=self.estimate)
        self.parser = SimpleNamespace(parse=self.parse)
        self.reader = SimpleNamespace(network=None, alpha=self.alpha)

    @staticmethod
    def alpha(photo):
        return (np.abs(photo.astype(int) - SKY).max(2) > 8).astype(np.float32)

    def segment(self, photo):
        mask, people = choose_component(self.alpha(np.asarray(photo)) > 0)
        ys, xs = np.nonzero(mask)
        box = int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1
        return Segmentation(mask.astype(np.uint8) * 255, people, box, "rembg", "rembg: drawn.")

    def estimate(self, photo):
        box = self.segment(photo).box
        neck = np.float32([(box[0] + box[2]) / 2, box[1] + 100])
        return Pose(np.float32([[*(neck + JOINTS[name]), 0.9] for name in KEYPOINT_NAMES]))

    def parse(self, photo, mask, pose):
        self.looked.append("parse")
        return np.where(mask > 127, labels.ID["upper-clothes"], 0).astype(np.uint8)

    def prepare_person(self, photo):
        self.looked.append("person")
        found = self.segment(photo)
        if found.box[3] - found.box[1] < 100:
            raise NoPersonError("The person photo: no torso is visible; use another photo.")
        pose = self.estimate(photo)
        parsing = np.zeros((photo.height, photo.width), np.uint8)
        neck = pose.point("neck").astype(int)
        for name, (x0, y0, x1, y1) in PARTS.items():
            parsing[max(neck[1] + y0, 0) : neck[1] + y1, max(neck[0] + x0, 0) : neck[0] + x1] = labels.ID[name]
        return SimpleNamespace(segmentation=found, pose=pose, parsing=np.where(found.mask > 0, parsing, 0))

    def prepare_garment(self, photo, category="auto"):
        self.looked.append("garment")
        mask = (self.alpha(np.asarray(photo)) * 255).astype(np.uint8)
        if not mask.any():
            raise InputError("The garment photo shows no garment: use another photo.")
        kind = "upper_body" if category == "auto" else category
        marks = SimpleNamespace(points={"neck": (100, 60)})
        return SimpleNamespace(
            image=photo, mask=mask, category=kind, guess="upper_body", landmarks=marks, reason="guessed"
        )


def draw_garment() -> Image.Image:
    image = np.full((500, 400, 3), SKY, np.uint8)
    image[80:420, 60:340] = CLOTH
    return Image.fromarray(image)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.delenv("VTO_WORKSPACE", raising=False)
    place = open_workspace(tmp_path / "ws")
    draw_people(225)[0].save(place.persons / "ann.png")
    Image.new("RGB", (300, 400), SKY).save(place.persons / "bare.png")
    draw_people(150, 420, size=(600, 620))[0].save(place.persons / "two.png")
    draw_garment().save(place.cloths / "shirt.png")
    return place


@pytest.fixture
def shown(monkeypatch):
    """What is displayed, and what handles are updated with."""
    import IPython.display

    things, updates = [], []

    def display(*objects, display_id=None):
        things.extend(objects)
        return SimpleNamespace(update=updates.append) if display_id else None

    monkeypatch.setattr(IPython.display, "display", display)
    return things, updates


# The steps ----------------------------------------------------------------------------------------


def test_every_stage_has_pictures():
    photo = draw_people(225)[0]
    stages = look(Models(), photo, draw_garment())
    for stage in STAGES:
        pictures = stages.pictures(stage)
        assert len(pictures) >= 2 and all(isinstance(picture, Image.Image) for picture in pictures.values())
    assert stages.category == "upper_body"
    assert stages.person.findings == [] and stages.garment.findings == []
    with pytest.raises(InputError, match="no stage 'face'"):
        stages.pictures("face")


def test_growing_changes_the_mask_before_the_parsing():
    photo = draw_people(225)[0]
    models = Models()
    plain = look_at_person(models, photo, StageSettings())
    assert "parse" not in models.looked
    wide, narrow = (look_at_person(models, photo, StageSettings(grow=grow)) for grow in (6, -6))
    areas = [(one.segmentation.mask > 0).sum() for one in (narrow, plain, wide)]
    assert areas == sorted(areas) and len(set(areas)) == 3
    assert (wide.parsing > 0).sum() == areas[2]


def test_feather_softens_the_cutout_and_keeps_its_middle():
    person = look_at_person(Models(), draw_people(225)[0], StageSettings())
    hard, soft = (np.asarray(person.cutout(feather).getchannel("A")).astype(int) for feather in (0, 12))
    assert set(np.unique(hard)) == {0, 255} and len(np.unique(soft)) > 50
    assert ((soft > 127) != (hard > 127)).mean() < 0.01  # only corners become round


def test_room_widens_the_region_and_keeps_what_must_stay():
    person = look_at_person(Models(), draw_people(225)[0], StageSettings())
    small, large = person.region("upper_body", 0), person.region("upper_body", 25)
    assert large.sum() > small.sum() and not (small & ~large).any()
    kept = labels.select(person.parsing, (labels.ID["face"], labels.ID["pants"]))
    assert not (large & kept).any()


def test_which_person_crops_to_that_one():
    photo = draw_people(150, 420, size=(600, 620))[0]
    models = Models()
    found = people_in(models.segmenter, photo)
    assert [one.people for one in found][0] in (1, 2) and len(found) == 2
    assert found[0].box[2] < found[1].box[0] + 20
    left, right = (look_at_person(models, photo, StageSettings(person=number)) for number in (1, 2))
    assert left.image.width < photo.width * 0.6 and right.image.width < photo.width * 0.6
    assert np.array_equal(np.asarray(photo)[:, 150][200], np.asarray(left.image)[:, left.image.width // 2][200 - 18])
    with pytest.raises(InputError, match="Only 2 people were found"):
        look_at_person(models, photo, StageSettings(person=3))


def test_several_people_are_a_finding():
    stages = look(Models(), draw_people(150, 420, size=(600, 620))[0], draw_garment())
    assert [finding.kind for finding in stages.person.findings] == ["several-people"]


def test_what_fails_keeps_the_steps_before_it():
    photo = draw_people(225)[0].resize((60, 80), Image.Resampling.NEAREST)
    stages = look(Models(), photo, Image.new("RGB", (300, 400), SKY))
    assert stages.person.pose is not None and stages.person.parsing is None
    assert stages.pictures("segmentation") and stages.pictures("pose")
    for stage, words in (("parsing", "no torso"), ("agnostic", "no torso"), ("garment", "no garment")):
        with pytest.raises((NoPersonError, InputError), match=words):
            stages.pictures(stage)
    assert [finding.severity for finding in (*stages.person.findings, *stages.garment.findings)] == ["error"] * 2
    nobody = look_at_person(Models(), Image.new("RGB", (300, 400), SKY), StageSettings())
    assert nobody.segmentation is None and nobody.findings[0].severity == "error"


def test_settings_refuse_what_makes_no_sense():
    with pytest.raises(InputError, match="Unknown category"):
        StageSettings(category="shoes")
    for name in ("person", "feather", "room"):
        with pytest.raises(InputError, match="0 or more"):
            StageSettings(**{name: -1})
    photo = Image.new("RGB", (30, 40))
    unread = Stages(look_at_person(Models(), draw_people(225)[0], StageSettings()), GarmentStages(photo, photo), None)
    assert unread.garment.findings[0].severity == "error"
    assert replace(unread, settings=StageSettings(category="dresses")).category == "dresses"


# The panel ----------------------------------------------------------------------------------------


def test_panel_runs_without_a_click_and_looks_once(workspace):
    panel = preprocessing_panel(workspace, "ann.png", make=Models, backend="rembg")
    stages = panel.run()
    panel.settings.controls["feather"].value = 9
    panel.settings.controls["room"].value = 20
    again = panel.run()
    assert again.person is stages.person and again.settings.feather == 9
    assert panel.models.looked == ["garment", "person"]
    assert panel.models.options == {"warp": "geometric", "segmentation": "rembg", "device": "auto"}
    panel.settings.controls["grow"].value = 3
    assert panel.run().person is not stages.person
    person, garment = panel.findings()
    assert person.title == "ann.png" and garment.title == "shirt.png" and not garment.findings


def test_a_click_shows_findings_and_pictures_that_follow_the_sliders(workspace, shown):
    things, updates = shown
    panel = preprocessing_panel(workspace, make=Models)
    panel._ipython_display_()
    assert panel.widget in things and updates == []
    panel.settings.controls["room"].value = 10
    assert updates == []  # nothing was looked at yet
    panel.button.click()
    assert len(updates) == 3 and isinstance(updates[2], Image.Image)
    panel.settings.controls["room"].value = 40
    assert len(updates) == 6 and not np.array_equal(np.asarray(updates[2]), np.asarray(updates[5]))
    panel.settings.controls["person"].value = 3
    assert "Only 1 person was found" in panel.message and not panel.button.disabled
    state = json.dumps(ipywidgets.Widget.get_manager_state(), default=str)
    assert "ann" in state and "data:image" not in state and "iVBOR" not in state


def test_a_photo_of_nobody_is_shown_as_a_finding(workspace, shown):
    panel = preprocessing_panel(workspace, "bare.png", make=Models)
    panel._ipython_display_()
    panel.button.click()
    assert shown[1][0].findings[0].severity == "error" and isinstance(shown[1][2], Image.Image)
    with pytest.raises(NoPersonError):
        panel.save_cutout()


def test_cutout_is_saved_with_transparency(workspace):
    panel = preprocessing_panel(workspace, make=Models)
    path = panel.save_cutout()
    assert path == workspace.results / "ann--cutout.png"
    with Image.open(path) as image:
        assert image.mode == "RGBA" and image.getpixel((2, 2))[3] == 0 and image.getpixel((225, 250))[3] == 255


def test_panel_without_photos_offers_the_upload(tmp_path, monkeypatch, capsys, shown):
    monkeypatch.delenv("VTO_WORKSPACE", raising=False)
    panel = preprocessing_panel(open_workspace(tmp_path / "empty"), make=Models)
    with pytest.raises(InputError, match="no photo"):
        panel.run()
    panel._ipython_display_()
    assert "no photo" in capsys.readouterr().out and shown[0] == [panel.widget]
    assert panel.uploads[0].widget in panel.widget.children


# Upload -------------------------------------------------------------------------------------------


def png(colour=(200, 0, 0)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 60), colour).save(buffer, "PNG")
    return buffer.getvalue()


def test_uploads_are_written_and_replace_nothing(tmp_path):
    saved, refused = save_uploads({"a.png": png(), "../../b.PNG": png(), "c.txt": b"text", "d.jpg": b"no"}, tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in saved] == ["a.png", "b.PNG"]
    assert len(refused) == 2 and "c.txt is no photo" in refused[0] and refused[1].startswith("d.jpg")
    saved, _ = save_uploads({"a.png": png((0, 200, 0))}, tmp_path)
    assert saved[0].name == "a-2.png" and load_image(tmp_path / "a.png").getpixel((1, 1)) == (200, 0, 0)
    saved, _ = save_uploads({"a.png": png()}, tmp_path)
    assert saved[0].name == "a.png"  # the very same photo


def deliver(button, name: str, content: bytes) -> None:
    """What the browser does, in either version of ipywidgets."""
    facts = {"name": name, "type": "image/png", "size": len(content), "lastModified": 0}
    if isinstance(button.value, dict):
        button.metadata, button.data = [facts], [content]
        button._counter = 1
    else:
        button.value = ({**facts, "content": memoryview(content), "last_modified": datetime.now(timezone.utc)},)


def test_the_button_forgets_what_it_delivered(tmp_path):
    upload = UploadButton(tmp_path, "Add people ...")
    first = upload.button
    deliver(first, "eve.png", png())
    assert [path.name for path in upload.saved] == ["eve.png"] and "1 photos added" in upload.message
    assert upload.button is not first and upload.widget.children[0] is upload.button
    assert first.comm is None  # closed: its photos are no longer part of the notebook's widget state
    deliver(upload.button, "eve.txt", b"text")
    assert "no photo" in upload.message and len(upload.saved) == 1


def test_colabs_dialogue(tmp_path, monkeypatch, capsys):
    with pytest.raises(InputError, match="no upload dialogue"):
        ask_on_colab(tmp_path, "people")
    written = []

    def upload():
        written.append(Path("eve.png").absolute())
        written[0].write_bytes(png())
        return {"eve.png": png()}

    files = SimpleNamespace(upload=upload)
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace(files=files))
    monkeypatch.setitem(sys.modules, "google.colab.files", files)
    assert [path.name for path in ask_on_colab(tmp_path, "people")] == ["eve.png"]
    assert not written[0].exists() and "1 photos were put" in capsys.readouterr().out


# The contact sheet --------------------------------------------------------------------------------


def test_contact_sheet(tmp_path):
    with pytest.raises(InputError, match="no .*test_pairs.txt"):
        data_set_sheet(tmp_path)
    (tmp_path / "test_pairs.txt").write_text("ann.jpg shirt.jpg\nbob.jpg shirt.jpg\n")
    colours = {
        "image/{}.jpg": (250, 0, 0), "openpose_img/{}_rendered.png": (0, 250, 0), "image-parse-v3/{}.png": (0, 0, 250),
        "agnostic-v3.2/{}.jpg": (250, 250, 0), "agnostic-mask/{}_mask.png": (250, 0, 250),
        "cloth/{}.jpg": (0, 250, 250), "cloth-mask/{}.jpg": (20, 20, 20),
    }  # fmt: skip
    for path, colour in colours.items():
        for name in ("ann", "bob", "shirt"):
            file = tmp_path / "test" / path.format(name)
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (48, 64), colour).save(file)
    sheet = np.asarray(data_set_sheet(tmp_path, cell=(64, 48)))
    for colour in colours.values():
        assert (np.abs(sheet.astype(int) - colour).max(2) < 30).sum() > 1.8 * 48 * 64
    one = data_set_sheet(tmp_path, most=1, cell=(64, 48))
    assert one.height < len(sheet)
    (tmp_path / "bad.jpg").write_text("no photo")
    failed = [(tmp_path / "bad.jpg", "bad.jpg: it cannot be read.")]
    assert data_set_sheet(tmp_path, failed, most=1, cell=(64, 48)).height > one.height
    (tmp_path / "test_pairs.txt").write_text("")
    assert data_set_sheet(tmp_path, cell=(64, 48)).size == (48, 64)
