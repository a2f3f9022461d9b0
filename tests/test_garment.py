from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from PIL import Image
from samples import CLOTHS, DRAWN, PEOPLE, Drawing, garment, long_sleeve, photo, trousers, tryon, tshirt

from vto_utils.errors import InputError
from vto_utils.garment import CATEGORIES, Garment, GarmentReader, guess_category


@pytest.fixture(scope="module")
def reader() -> GarmentReader:
    return tryon().reader


@cache
def drawn_tshirt() -> Garment:
    return tryon().reader.read(tshirt().photo(shadow=0.06, back=(24, 38, 72)))


@cache
def on_near_white(name: str) -> np.ndarray:
    """Alpha of a drawn garment with a soft shadow."""
    return tryon().reader.alpha(DRAWN[name][0]().photo(background=(245, 245, 245), shadow=0.06))


def iou(alpha: np.ndarray, drawing: Drawing) -> float:
    found, true = alpha > 0.5, drawing.mask()
    return float((found & true).sum() / (found | true).sum())


# Cutting out ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tshirt", "long_sleeve", "tank_top", "trousers"])
def test_cut_out_on_near_white_with_a_soft_shadow(name: str) -> None:
    alpha = on_near_white(name)
    assert alpha.shape == (800, 600) and alpha.dtype == np.float32
    assert alpha.min() >= 0 and alpha.max() <= 1
    assert iou(alpha, DRAWN[name][0]()) >= 0.97


@pytest.mark.parametrize(("name", "background"), [("tshirt", (150, 170, 120)), ("dress", (20, 20, 22))])
def test_cut_out_on_plain_colours(reader: GarmentReader, name: str, background: tuple[int, int, int]) -> None:
    drawing = DRAWN[name][0]()
    assert iou(reader.alpha(drawing.photo(background=background)), drawing) >= 0.98


def test_cut_out_white_on_off_white(reader: GarmentReader) -> None:
    drawing = long_sleeve()
    white = drawing.photo((252, 252, 250), background=(236, 236, 234), shadow=0.05)
    assert iou(reader.alpha(white), drawing) >= 0.97


def test_gaps_stay_open() -> None:
    alpha = on_near_white("long_sleeve")
    for row in (450, 550, 630):
        sleeve, body = 182 - 64 * (row - 290) / 362, 181  # inner edge of the hanging sleeve, side of the body
        middle = round((sleeve + body) / 2)
        assert alpha[row, middle] < 0.1 and alpha[row, 599 - middle] < 0.1
        assert alpha[row, round(sleeve) - 20] > 0.9 and alpha[row, 200] > 0.9
    assert on_near_white("trousers")[500:735, 300].max() < 0.1


def test_stripes_in_the_colour_of_the_background_stay(reader: GarmentReader) -> None:
    drawing = tshirt()
    cloth = drawing.cloth((250, 250, 250))
    for top in range(0, 800, 40):
        cloth[top : top + 20] = (20, 30, 90)
    alpha = reader.alpha(drawing.photo(cloth, shadow=0.04))
    assert iou(alpha, drawing) >= 0.95
    assert (alpha[300:640, 200:400] > 0.9).all()  # every stripe across the chest


# The picture ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CLOTHS)
def test_picture_is_upright_3_to_4_and_centred(name: str) -> None:
    found = garment(name)
    width, height = found.image.size
    assert width * 4 == height * 3
    assert found.mask.shape == (height, width) and found.mask.dtype == np.uint8
    assert found.texture.shape == (height, width, 3) and found.texture.dtype == np.uint8
    ys, xs = np.nonzero(found.mask > 127)
    assert abs((xs.min() + xs.max()) - (width - 1)) <= 4 and abs((ys.min() + ys.max()) - (height - 1)) <= 4
    assert max(np.ptp(xs) / width, np.ptp(ys) / height) == pytest.approx(0.88, abs=0.02)
    picture = np.asarray(found.image)
    assert (picture[found.mask == 0] == 255).all()
    assert np.array_equal(picture[found.mask == 255], found.texture[found.mask == 255])


def test_nothing_is_resampled() -> None:
    drawing, found = tshirt(), drawn_tshirt()
    shot = drawing.photo(shadow=0.06, back=(24, 38, 72))
    ys, xs = np.nonzero(found.mask > 127)
    true_ys, true_xs = np.nonzero(drawing.mask())
    top, left = ys.min() - true_ys.min(), xs.min() - true_xs.min()
    shifts = [(top + dy, left + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    patch = shot[300:600, 220:380]
    assert any(np.array_equal(found.texture[300 + y : 600 + y, 220 + x : 380 + x], patch) for y, x in shifts)


def test_texture_has_no_rim_of_the_background() -> None:
    found = drawn_tshirt()
    touched = found.mask > 0
    ys, _ = np.nonzero(touched)
    below_the_neck = np.arange(len(touched)) > ys.min() + 0.3 * np.ptp(ys)
    away = np.abs(found.texture.astype(int) - [52, 84, 150]).max(2)
    rim = touched & (found.mask < 250) & below_the_neck[:, None]
    assert rim.sum() > 1000 and (away[rim] > 16).mean() < 0.02
    assert (away[touched & below_the_neck[:, None]] > 16).mean() < 5e-4


def test_large_photos_are_reduced(reader: GarmentReader) -> None:
    large = Image.fromarray(trousers().photo()).resize((1800, 2400), Image.Resampling.BICUBIC)
    found = reader.read(large)
    assert found.category == "lower_body"
    assert found.image.height < 2400
    assert 1100 < np.ptp(np.nonzero(found.mask > 127)[0]) < 1536


def test_thumbnails(reader: GarmentReader) -> None:
    found = reader.read(photo("tshirt_print", (120, 90)))
    width, height = found.image.size
    assert width * 4 == height * 3 and found.category == "upper_body"
    assert np.ptp(np.nonzero(found.mask > 127)[1]) > 70


# Categories -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DRAWN)
def test_category_of_drawn_garments(name: str) -> None:
    draw, category = DRAWN[name]
    mask = draw().mask()
    assert guess_category(mask) == category
    assert guess_category(np.ascontiguousarray(mask[:, ::-1])) == category


@pytest.mark.parametrize("name", CLOTHS)
def test_category_of_sample_garments(name: str) -> None:
    found = garment(name)
    assert found.category == found.guess == CLOTHS[name]
    assert found.notes == ()
    assert set(found.landmarks.sleeves) == (set() if name == "tank_top" else {"right", "left"})


def test_asking_for_another_category_is_noted(reader: GarmentReader) -> None:
    small = Image.fromarray(tshirt().photo()).resize((300, 400))
    found = reader.read(small, "lower_body", "shirt.png")
    assert found.category == "lower_body" and found.guess == "upper_body"
    assert found.notes == ("shirt.png looks like upper_body, but is used as lower_body as asked.",)
    assert "right_waist" in found.landmarks.points


@pytest.mark.parametrize("category", ["upper", "UPPER_BODY", "", "trousers"])
def test_unknown_category(reader: GarmentReader, category: str) -> None:
    with pytest.raises(InputError, match="Unknown category") as error:
        reader.read(np.zeros((64, 64, 3), np.uint8), category)
    assert all(known in str(error.value) for known in (*CATEGORIES, "auto"))


# Refusals -------------------------------------------------------------------------------------------------


def test_blank_photo(reader: GarmentReader) -> None:
    with pytest.raises(InputError, match="blank.png shows no garment"):
        reader.read(np.full((400, 300, 3), 255, np.uint8), name="blank.png")


@pytest.mark.parametrize("name", PEOPLE)
def test_photo_of_a_person(reader: GarmentReader, name: str) -> None:
    with pytest.raises(InputError, match="me.jpg shows a person"):
        reader.read(photo(name), name="me.jpg")


# Parts ----------------------------------------------------------------------------------------------------


def test_front_leaves_the_inside_of_the_back_out() -> None:
    shirt = drawn_tshirt()
    line = shirt.landmarks.neckline
    x, y = line[len(line) // 2].round().astype(int)
    column = shirt.mask[:y, x] > 127  # above the front edge the back is seen
    assert column.sum() > 5
    top = np.flatnonzero(column)[0]
    assert shirt.front[top : y - 2, x].max() < 30
    assert (shirt.front[y + 3 : y + 60, x] == 255).all() and (shirt.front <= shirt.mask).all()
    assert (shirt.front == shirt.mask).mean() > 0.97
    tank = garment("tank_top")
    assert len(tank.landmarks.neckline) or tank.front is tank.mask


def test_sleeves_lie_beyond_the_underarms() -> None:
    shirt = drawn_tshirt()
    found, marks = shirt.sleeves, shirt.landmarks
    columns = np.flatnonzero(found.any(0))
    right, left = marks["right_underarm"][0], marks["left_underarm"][0]
    assert ((columns < right) | (columns > left)).all() and (columns < right).any() and (columns > left).any()
    assert 0.05 < found.sum() / (shirt.mask > 127).sum() < 0.5
    assert not garment("tank_top").sleeves.any() and not garment("trousers").sleeves.any()
