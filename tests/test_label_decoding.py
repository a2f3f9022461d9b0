from __future__ import annotations

import numpy as np
import pytest
from drawn_labels import body
from PIL import Image

from vto_utils import labels
from vto_utils.errors import InputError
from vto_utils.label_decoding import LabelMapError, decode_ids

# By id: what VITON-HD's files hold, and the table that CIHP's and LIP's own programs draw with.
VITON_HD = [
    (0, 0, 0), (128, 0, 0), (254, 0, 0), (0, 85, 0), (169, 0, 51), (254, 85, 0), (0, 0, 85), (0, 119, 220),
    (85, 85, 0), (0, 85, 85), (85, 51, 0), (52, 86, 128), (0, 128, 0), (0, 0, 254), (51, 169, 220), (0, 254, 254),
    (85, 254, 169), (169, 254, 85), (254, 254, 0), (254, 169, 0),
]  # fmt: skip
CIHP = [
    (0, 0, 0), (128, 0, 0), (255, 0, 0), (0, 85, 0), (170, 0, 51), (255, 85, 0), (0, 0, 85), (0, 119, 221),
    (85, 85, 0), (0, 85, 85), (85, 51, 0), (52, 86, 128), (0, 128, 0), (0, 0, 255), (51, 170, 221), (0, 255, 255),
    (85, 255, 170), (170, 255, 85), (255, 255, 0), (255, 170, 0),
]  # fmt: skip
PALETTES = {
    "pascal": labels.palette()[:20],
    "viton-hd": np.array(VITON_HD, np.uint8),
    "cihp": np.array(CIHP, np.uint8),
}


def decode(source) -> np.ndarray:
    return decode_ids(source, "a.png")[0]


def every_id() -> np.ndarray:
    """The body with each id somewhere."""
    ids = body()
    ids[125, :20] = np.arange(20)
    return ids


def paletted(indices: np.ndarray, colours: np.ndarray) -> Image.Image:
    image = Image.fromarray(indices.astype(np.uint8))
    image.putpalette(colours.reshape(-1).tolist())
    return image


def refused(source) -> str:
    with pytest.raises(LabelMapError) as caught:
        decode(source)
    text = str(caught.value)
    assert text.startswith("a.png ") and text.endswith(f": {caught.value.remedy}.") and "\n" not in text
    return text


# Pictures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PALETTES)
@pytest.mark.parametrize("kind", ["image", "array", "channels first", "opaque"])
def test_colours_are_decoded_exactly(name, kind):
    ids = every_id()
    rgb = PALETTES[name][ids]
    source = {
        "image": Image.fromarray(rgb),
        "array": rgb,
        "channels first": rgb.transpose(2, 0, 1),
        "opaque": Image.fromarray(rgb).convert("RGBA"),
    }[kind]
    np.testing.assert_array_equal(decode(source), ids)


def test_the_neck_of_cp_vton_has_a_colour():
    ids = np.where(body() == 10, 20, body())
    np.testing.assert_array_equal(decode(Image.fromarray(labels.palette()[ids])), ids)


@pytest.mark.parametrize("name", PALETTES)
def test_palette_files_hold_their_indices(name):
    image = paletted(every_id(), PALETTES[name])
    np.testing.assert_array_equal(decode(image), every_id())


@pytest.mark.parametrize("name", PALETTES)
@pytest.mark.parametrize("how", ["shuffled", "quantised"])
def test_palette_files_in_another_order_are_decoded_by_colour(name, how):
    ids, colours = every_id(), PALETTES[name]
    if how == "shuffled":
        order = np.random.default_rng(0).permutation(20)
        image = paletted(np.argsort(order)[ids], colours[order])
    else:
        image = Image.fromarray(colours[ids]).convert("P", palette=Image.Palette.ADAPTIVE)
    assert (np.asarray(image) != ids).any()  # the indices are not the ids
    np.testing.assert_array_equal(decode(image), ids)


@pytest.mark.parametrize("colours", ["grey ramp", "all black", "red and blue exchanged", "own"])
def test_ids_with_other_palettes_are_taken_as_they_are(colours):
    table = {
        "grey ramp": np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, 1),
        "all black": np.zeros((256, 3), np.uint8),
        "red and blue exchanged": labels.palette()[:, ::-1],
        "own": np.random.default_rng(1).integers(1, 127, (256, 3)).astype(np.uint8),
    }[colours]
    np.testing.assert_array_equal(decode(paletted(every_id(), table)), every_id())


def test_palette_with_colours_of_its_own_is_refused():
    image = Image.fromarray(PALETTES["cihp"][body()]).convert("P")  # Pillow's 216 colours, dithered
    text = refused(image)
    assert "palette picture with colours of its own" in text and "give the parser's own file" in text


@pytest.mark.parametrize("mode", ["L", "LA", "I;16", "I", "F"])
def test_grey_pictures_hold_ids(mode):
    image = Image.fromarray(every_id())
    if mode == "I;16":
        image = Image.fromarray(every_id().astype(np.uint16))
        assert image.mode == mode
    np.testing.assert_array_equal(decode(image.convert(mode)), every_id())


def test_three_equal_channels_are_one():
    np.testing.assert_array_equal(decode(Image.fromarray(every_id()).convert("RGB")), every_id())


def test_transparent_pictures_are_refused():
    image = Image.fromarray(PALETTES["pascal"][body()]).convert("RGBA")
    image.putalpha(Image.fromarray(np.where(body() > 0, 255, 0).astype(np.uint8)))
    assert "partly transparent" in refused(image)


def test_other_modes_are_refused():
    assert "is a CMYK picture, not ids: save the ids" in refused(Image.new("CMYK", (40, 40)))


def test_exchanged_channels_are_named():
    text = refused(Image.fromarray(PALETTES["viton-hd"][body()][:, :, ::-1]))
    assert "red and blue exchanged" in text and "exchange the channels" in text
    assert "red and blue exchanged" in refused(PALETTES["pascal"][body()][:, :, ::-1])


def test_unknown_colours_mixed_colours_and_photos_are_told_apart(tmp_path):
    ids = body()
    own = np.random.default_rng(2).integers(0, 256, (20, 3)).astype(np.uint8)
    assert "RGB picture in 12 colours that no palette known here has" in refused(own[ids])
    Image.fromarray(PALETTES["pascal"][ids]).save(tmp_path / "a.jpg", quality=90)
    with Image.open(tmp_path / "a.jpg") as image:
        mixed = image.convert("RGB")  # a new picture, which does not know that it was a JPEG
    assert "colours were mixed by JPEG or resizing" in refused(mixed)
    large = Image.fromarray(PALETTES["pascal"][ids]).resize((384, 512), Image.Resampling.BILINEAR)
    assert "colours were mixed by JPEG or resizing" in refused(large)
    photo = np.random.default_rng(3).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    assert "a photo or drawing, not ids" in refused(photo)


def test_a_jpeg_is_refused_however_it_comes(tmp_path):
    Image.fromarray(body()).save(tmp_path / "a.jpg", quality=100)
    with Image.open(tmp_path / "a.jpg") as image:
        assert "is a JPEG" in refused(image)


# Arrays -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(128, 96), (1, 128, 96), (128, 96, 1), (1, 1, 128, 96)])
def test_arrays_of_ids(dtype, shape):
    np.testing.assert_array_equal(decode(every_id().astype(dtype).reshape(shape)), every_id())


@pytest.mark.parametrize(("channels", "scheme"), [(20, None), (18, "atr"), (14, "acgpn"), (21, "lip")])
@pytest.mark.parametrize("kind", ["bool", "uint8", "0 and 255", "float", "scores"])
@pytest.mark.parametrize("first", [False, True])
def test_one_channel_per_id(channels, scheme, kind, first):
    ids = body() % channels
    array = np.eye(channels, dtype=bool)[ids]
    if kind == "scores":  # as a network gives them
        array = array * 3 + np.random.default_rng(0).normal(0, 0.3, array.shape).astype(np.float32)
    elif kind == "0 and 255":
        array = array.astype(np.uint8) * 255
    else:
        array = array.astype(kind)
    found, told = decode_ids(array.transpose(2, 0, 1)[None] if first else array, "a.npy")
    np.testing.assert_array_equal(found, ids)
    assert told == scheme


def test_channels_that_are_not_ids():
    groups = np.eye(13, dtype=np.uint8)[body() % 13]
    assert "has 13 channels of uint8: give one id per pixel, or one channel per id: 20 for CIHP" in refused(groups)
    hot = np.eye(20, dtype=np.uint8)[body()]
    hot[:, :, 0] = 0  # no channel for the background
    assert "is not one-hot" in refused(hot) and "background as channel 0" in refused(hot)
    hot = np.eye(20, dtype=np.float32)[body()]
    hot[:12, :, 3] = 1
    assert "is not one-hot: 9.38 % of its pixels" in refused(hot)


def test_arrays_that_are_nothing():
    assert "is an array of shape [20]: give height x width" in refused(np.zeros(20))
    assert "shape [0, 5]" in refused(np.zeros((0, 5), np.uint8))
    assert "holds fractions, not ids: save the ids as whole numbers" in refused(body() / 19)
    assert "holds fractions" in refused(np.full((40, 40), np.nan))
    assert "values of type <U1" in refused(np.full((4, 4), "a"))
    with pytest.raises(InputError, match="a.png is a list: give a path, a PIL image or a numpy array"):
        decode([[1, 2]])
