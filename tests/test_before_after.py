from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from vto_utils.errors import InputError
from vto_utils.panels.before_after import before_after


def black_and_red():
    return before_after(Image.new("RGB", (90, 120), "black"), Image.new("RGB", (45, 60), "red"), height=64)


@pytest.mark.parametrize("percent", [0, 25, 100])
def test_uncovers_the_second_picture_from_the_left(percent):
    image = np.asarray(black_and_red().at(percent)).astype(int)
    assert image.shape == (64, 48, 3)
    red = image[..., 0] - image[..., 2] > 128
    assert red.mean() == pytest.approx(percent / 100, abs=0.05)
    assert not percent or red[:, 0].all()
    assert percent == 100 or not red[:, -1].any()


def test_shows_both_pictures_and_a_slider_in_html():
    html = black_and_red()._repr_html_()
    pictures = [Image.open(io.BytesIO(base64.b64decode(data))) for data in re.findall(r"base64,([^\"]+)", html)]
    assert [picture.size for picture in pictures] == [(48, 64)] * 2
    assert [np.asarray(picture)[32, 24].round(-1).tolist() for picture in pictures] == [[0, 0, 0], [250, 0, 0]]
    assert all(not picture.getexif() for picture in pictures)
    assert html.count('type="range"') == 1 and "<script" not in html and "clip-path:inset(0 50% 0 0)" in html
    # The handler finds its parts by their place: the upper picture second, the edge third.
    parts = re.findall(r"<(img|input|span|div)", html)
    assert parts == ["div", "img", "img", "div", "div", "span", "span", "input"]
    assert "all[1].style.clipPath" in html and "all[2].style.left" in html


def test_is_no_widget():
    ipywidgets = pytest.importorskip("ipywidgets")
    before = set(ipywidgets.Widget.get_manager_state()["state"])
    black_and_red()._repr_html_()
    assert set(ipywidgets.Widget.get_manager_state()["state"]) == before


def test_height_must_be_a_height():
    with pytest.raises(InputError, match="height"):
        before_after(Image.new("RGB", (4, 4)), Image.new("RGB", (4, 4)), height=0)
