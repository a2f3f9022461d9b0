from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vto_utils import images, labels

# The first colours of the PASCAL VOC table, as its development kit lists them.
PASCAL = [
    (0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128), (0, 128, 128),
    (128, 128, 128), (64, 0, 0), (192, 0, 0), (64, 128, 0), (192, 128, 0), (64, 0, 128), (192, 0, 128),
    (64, 128, 128), (192, 128, 128), (0, 64, 0), (128, 64, 0), (0, 192, 0), (128, 192, 0), (0, 64, 128),
]  # fmt: skip


def test_palette_is_the_one_of_pascal_voc():
    colours = labels.palette()
    assert colours.shape == (256, 3) and colours.dtype == np.uint8
    assert [tuple(map(int, colour)) for colour in colours[: len(PASCAL)]] == PASCAL
    assert tuple(colours[255]) == (224, 224, 192)  # "void", the last one
    assert len(np.unique(colours, axis=0)) == 256


def test_ids_are_those_of_viton_hd():
    expected = {
        "background": 0, "hat": 1, "hair": 2, "glove": 3, "sunglasses": 4, "upper-clothes": 5, "dress": 6,
        "coat": 7, "socks": 8, "pants": 9, "torso-skin": 10, "scarf": 11, "skirt": 12, "face": 13,
        "left-arm": 14, "right-arm": 15, "left-leg": 16, "right-leg": 17, "left-shoe": 18, "right-shoe": 19,
    }  # fmt: skip
    assert expected == labels.ID
    assert {labels.NAMES[number]: number for number in range(20)} == expected


def test_groups_hold_what_their_names_say():
    assert labels.ARMS == (14, 15) and labels.LEGS == (16, 17) and labels.SHOES == (18, 19)
    assert set(labels.CATEGORIES) == {"upper_body", "lower_body", "dresses"}
    assert not set(labels.CATEGORIES["upper_body"]) & set(labels.CATEGORIES["lower_body"])
    for ids in labels.CATEGORIES.values():
        assert not set(ids) & set(labels.SKIN)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_palette_image_round_trip(tmp_path, dtype):
    parsing = np.random.default_rng(0).integers(0, 20, (37, 23)).astype(dtype)
    image = labels.to_palette_image(parsing)
    image.save(tmp_path / "parsing.png")
    with Image.open(tmp_path / "parsing.png") as again:
        assert again.mode == "P" and again.size == (23, 37)
        np.testing.assert_array_equal(np.asarray(again), parsing)
        np.testing.assert_array_equal(np.asarray(again.convert("RGB")), labels.palette()[parsing])


def test_palette_image_does_not_share_memory():
    parsing = np.zeros((4, 4), np.uint8)
    image = labels.to_palette_image(parsing)
    parsing[:] = 7
    assert not np.asarray(image).any()


@pytest.mark.parametrize("size", [(64, 48), (50, 48), (64, 31), (9, 7), (37, 23)])
def test_fit_places_labels_where_the_photo_goes(size):
    parsing = np.zeros((37, 23), np.uint8)
    parsing[4:30, 5:20] = 13
    fitted = labels.fit(parsing, size)
    assert fitted.shape == size and fitted.dtype == np.uint8
    assert set(np.unique(fitted)) == {0, 13}
    photo = np.asarray(images.fit(Image.fromarray(np.where(parsing > 0, 255, 0).astype(np.uint8)), size, fill=0))
    disagree = (fitted == 13) != (photo > 127)
    assert disagree.mean() < 0.02 and not disagree[(photo == 0) | (photo == 255)].any()


def test_select():
    parsing = np.array([[0, 14, 15], [16, 5, 14]], np.uint8)
    chosen = labels.select(parsing, labels.ARMS)
    assert chosen.dtype == bool
    np.testing.assert_array_equal(chosen, [[False, True, True], [False, False, True]])
    assert not labels.select(parsing, ()).any()
