from __future__ import annotations

import base64
import io
import json
import re

import ipywidgets
import numpy as np
import pytest
from PIL import Image

from vto_utils.errors import InputError
from vto_utils.panels.galleries import THUMBNAIL, Gallery, thumbnail


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(["ann.png", "bob.jpg", "Cid.webp"]):
        Image.new("RGB", (480, 640), (200, 40 * number, 0)).save(tmp_path / name)
    return tmp_path


def test_value_without_a_click(folder):
    gallery = Gallery(folder, "person")
    assert gallery.names == ["ann.png", "bob.jpg", "Cid.webp"]
    assert (gallery.value, gallery.file) == ("ann.png", folder / "ann.png")
    assert Gallery(folder, "person", chosen="bob.jpg").value == "bob.jpg"


def test_a_click_chooses(folder):
    gallery = Gallery(folder, "person")
    gallery.buttons["Cid.webp"].click()
    assert gallery.value == "Cid.webp"
    marked = [name for name, button in gallery.buttons.items() if "vto-chosen" in button._dom_classes]
    coloured = [name for name, button in gallery.buttons.items() if button.button_style]
    assert marked == coloured == ["Cid.webp"]


def test_unknown_names_and_empty_folders(folder, tmp_path):
    gallery = Gallery(folder, "person")
    with pytest.raises(InputError, match=r"no eve\.jpg .* ann\.png, bob\.jpg, Cid\.webp"):
        gallery.value = "eve.jpg"
    assert gallery.value == "ann.png"
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no photo in .*empty: put one there"):
        Gallery(tmp_path / "empty", "person")


def test_only_so_many_thumbnails_but_every_name(folder):
    gallery = Gallery(folder, "person", limit=2)
    assert list(gallery.buttons) == ["ann.png", "bob.jpg"]
    assert "1 more by name" in gallery.widget.children[0].value
    gallery.value = "Cid.webp"
    assert gallery.file.name == "Cid.webp"
    assert not any(button.button_style for button in gallery.buttons.values())


def test_thumbnails_are_in_the_style_and_not_in_widget_state(folder):
    gallery = Gallery(folder, "person")
    pictures = re.findall(r"base64,([^)]+)\)", gallery.style())
    assert len(pictures) == 3
    colours = []
    for data in pictures:
        image = Image.open(io.BytesIO(base64.b64decode(data)))
        assert image.size == THUMBNAIL[::-1]
        colours.append(np.asarray(image)[80, 60].tolist())
    assert np.allclose(colours, [(200, 0, 0), (200, 40, 0), (200, 80, 0)], atol=6)
    for button in gallery.buttons.values():
        assert gallery.style().count(f".{button._dom_classes[1]} ") == 1
    state = json.dumps(ipywidgets.Widget.get_manager_state())
    assert "bob" in state
    assert "data:image" not in state and pictures[0][:40] not in state


def test_a_photo_that_cannot_be_read_stays_without_a_thumbnail(folder):
    (folder / "aaa.jpg").write_text("not a photo")
    gallery = Gallery(folder, "person")
    assert list(gallery.buttons)[0] == "aaa.jpg"
    assert gallery.style().count("base64,") == 3


def test_two_galleries_do_not_share_a_style(folder):
    first, second = Gallery(folder, "person"), Gallery(folder, "garment")
    classes = [gallery.buttons["ann.png"]._dom_classes for gallery in (first, second)]
    assert not set(classes[0]) & set(classes[1]) - {"vto-chosen"}


def test_thumbnail_is_upright_and_has_no_metadata(tmp_path):
    pixels = np.zeros((1200, 1600, 3), np.uint8)
    pixels[:, :800] = (255, 0, 0)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"  # to be turned clockwise: red goes to the top
    Image.fromarray(pixels).save(tmp_path / "turned.jpg", exif=exif)
    image = thumbnail(tmp_path / "turned.jpg")
    assert image.size == THUMBNAIL[::-1] and not image.getexif() and image.info == {}
    assert np.asarray(image)[20, 60, 0] > 200 and np.asarray(image)[140, 60, 0] < 50
    with pytest.raises(InputError):
        thumbnail(tmp_path / "nowhere.jpg")
