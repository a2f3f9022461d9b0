from __future__ import annotations

import numpy as np
import pytest
from drawn_labels import body
from PIL import Image

from vto_utils import labels
from vto_utils.errors import InputError
from vto_utils.label_maps import LabelMapError, check_label_maps, main, read_label_map
from vto_utils.label_schemes import from_cihp, to_cihp


def save(array: np.ndarray, path, **options):
    Image.fromarray(array).save(path, **options)
    return path


def large(ids: np.ndarray, method: Image.Resampling) -> np.ndarray:
    return np.asarray(Image.fromarray(ids).resize((384, 512), method))


def refused(path, *parts: str, **options) -> str:
    """The sentence: it begins with the file's name, says ``parts`` in this order, and what to do."""
    with pytest.raises(LabelMapError) as caught:
        read_label_map(path, **options)
    text, rest = str(caught.value), str(caught.value)
    assert text.startswith(f"{path} ") and text.endswith(f": {caught.value.remedy}.") and "\n" not in text
    for part in parts:
        assert part in rest, text
        rest = rest.split(part, 1)[1]
    return text


# Good maps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["L", "P", "RGB", "RGBA", "I;16", "tiff", "npy", "npz"])
@pytest.mark.parametrize("as_text", [False, True])
def test_files_that_hold_ids_are_read(tmp_path, kind, as_text):
    path = tmp_path / {"tiff": "a.tiff", "npy": "a.npy", "npz": "a.npz"}.get(kind, "a.png")
    if kind == "P":
        labels.to_palette_image(body()).save(path)
    elif kind in ("RGB", "RGBA"):
        labels.to_palette_image(body()).convert(kind).save(path)
    elif kind == "I;16":
        save(body().astype(np.uint16), path)
    elif kind == "tiff":
        save(body().astype(np.float32), path)
    elif kind == "npy":
        np.save(path, body().astype(np.int64))
    elif kind == "npz":
        np.savez_compressed(path, labels=body())
    else:
        save(body(), path)
    found = read_label_map(str(path) if as_text else path, size=(128, 96))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, body())


def test_images_and_arrays_are_read_and_left_alone():
    array = body()
    found = read_label_map(array)
    found[:] = 7
    np.testing.assert_array_equal(array, body())
    np.testing.assert_array_equal(read_label_map(labels.to_palette_image(body())), body())
    with pytest.raises(LabelMapError, match=r"^The given label map is empty"):
        read_label_map(np.zeros((64, 64)))
    with pytest.raises(LabelMapError, match=r"^photo 7 is empty"):
        read_label_map(np.zeros((64, 64)), name="photo 7")


@pytest.mark.parametrize("scheme", ["lip", "atr", "dresscode", "acgpn"])
def test_a_named_scheme_is_converted(tmp_path, scheme):
    ids = from_cihp(body(), scheme)
    found = read_label_map(save(ids, tmp_path / "a.png"), scheme=scheme)
    np.testing.assert_array_equal(found, to_cihp(ids, scheme))
    assert (found[body() == labels.ID["face"]] == labels.ID["face"]).all()


def test_nearest_neighbour_copies_are_fine():
    for size in ((64, 48), (512, 384), (301, 211)):
        small = np.asarray(Image.fromarray(body()).resize(size[::-1], Image.Resampling.NEAREST))
        np.testing.assert_array_equal(read_label_map(small, size), small)


# Wrong values -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda ids: ids * 10, ("holds ids times 10 (up to 190)", "divide by 10")),
        (lambda ids: ids * 12, ("holds ids times 12 (up to 228)", "divide by 12")),
        (lambda ids: ids.astype(np.uint16) * 257, ("holds ids times 257", "divide by 257")),
        (lambda ids: (ids * (255 / 19)).round().astype(np.uint8), ("spread over 0 to 255", "without scaling")),
        (lambda ids: (ids * (255 / 20)).astype(np.uint8), ("spread over 0 to 242", "without scaling")),
        (lambda ids: np.where(ids == 10, 255, ids), ("holds 255", "set those pixels to 0")),
        (lambda ids: np.where(ids == 10, 23, ids), ("holds 23, which CIHP-20 does not have", "name their scheme")),
        (lambda ids: np.where(ids > 0, 255, 0), ("is a mask (only 0 and 255)", "give the parser's label map")),
        (lambda ids: np.where(ids > 0, 1, 0), ("is a mask (only 0 and 1)", "give the parser's label map")),
        (lambda ids: ids > 0, ("is a mask", "give the parser's label map")),
        (lambda ids: ids * 0, ("is empty: every pixel is background (0)", "parse the photo again")),
        (lambda ids: ids * 0 + 5, ("holds 5 everywhere", "parse the photo again")),
        (lambda ids: np.add.outer(np.arange(128), np.arange(96)), ("different values, as a grey picture", "as PNG")),
    ],
)  # fmt: skip
def test_wrong_values_in_a_grey_file(tmp_path, make, parts):
    array = make(body())
    if array.dtype not in (np.uint16, bool):
        array = array.astype(np.uint8)
    refused(save(array, tmp_path / "a.png"), *parts)


def test_negative_ids():
    ids = body().astype(np.int64)
    ids[0, 0] = -1
    with pytest.raises(LabelMapError, match=r"holds -1, which CIHP-20 does not have: name their scheme"):
        read_label_map(ids)


def test_ids_of_a_named_scheme_are_checked(tmp_path):
    path = save(body(), tmp_path / "a.png")
    refused(path, "holds 18, 19, which ATR-18", "name their scheme", scheme="atr")
    refused(path, "holds 2, 14, 15, 16, 17, ..., which ACGPN's 14 ids do", "name their scheme", scheme="acgpn")


def test_four_bit_grey_files_are_scaled_by_their_reader(tmp_path):
    image = Image.fromarray(np.minimum(body(), 15) * 17)
    refused(save(np.asarray(image), tmp_path / "a.png"), "holds ids times 17", "divide by 17")


@pytest.mark.parametrize("method", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.BOX])
def test_smoothly_resized_maps_are_refused(tmp_path, method):
    size = (384, 512) if method != Image.Resampling.BOX else (61, 83)
    soft = np.minimum(np.asarray(Image.fromarray(body()).resize(size, method)), 19)
    refused(save(soft, tmp_path / "a.png"), "ids at its edges that are mixed", "resize label maps with the nearest")


def test_jpeg_ids_kept_as_png_are_refused(tmp_path):
    save(body(), tmp_path / "a.jpg", quality=85)
    with Image.open(tmp_path / "a.jpg") as image:
        speckled = np.minimum(np.asarray(image), 19)
    refused(save(speckled, tmp_path / "a.png"), "mixed", "keep them out of JPEG")


def test_jpeg_files_are_refused_whatever_they_are_called(tmp_path):
    path = save(body(), tmp_path / "a.png", format="JPEG", quality=100)
    refused(path, "is a JPEG, which changes ids", "save label maps as PNG")


# Wrong size ---------------------------------------------------------------------------------------


def test_sizes(tmp_path):
    path = save(body(), tmp_path / "a.png")
    refused(
        path, "is 128 high and 96 wide, but its photo 96 high and 128 wide", "exchanged", "turn by 90", size=(96, 128)
    )
    refused(path, "its photo 1024 high and 768 wide", "nearest neighbour", size=(1024, 768))
    refused(path, "its photo 1024 high and 1024 wide", "crop both in the same way", size=(1024, 1024))
    assert read_label_map(path, size=[128, 96]).shape == (128, 96)


# Other schemes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "parts"),
    [
        (
            "atr",
            (
                "looks like ATR-18 (DressCode's ids), in which 11 is the head",
                'scheme="atr"',
                "FILE ... --scheme atr --out DIR",
            ),
        ),
        ("acgpn", ("looks like ACGPN's 14 ids, in which 12 is the face", 'scheme="acgpn"')),
        ("lip", ("looks like LIP-20 with a neck, in which 20 is the neck", 'scheme="lip"')),
    ],
)
@pytest.mark.parametrize("coloured", [False, True])
def test_another_scheme_is_recognised(tmp_path, scheme, parts, coloured):
    ids = from_cihp(body(), scheme)
    image = labels.to_palette_image(ids)
    (image.convert("RGB") if coloured else image).save(tmp_path / "a.png")
    refused(tmp_path / "a.png", *parts)
    np.testing.assert_array_equal(read_label_map(ids, scheme="cihp") if scheme != "lip" else ids, ids)  # as told


def test_the_number_of_channels_tells_the_scheme(tmp_path):
    headless = body()
    headless[:29] = 0
    ids = from_cihp(headless, "atr")
    np.save(tmp_path / "a.npy", np.eye(18, dtype=np.uint8)[ids])
    refused(tmp_path / "a.npy", "looks like ATR-18", 'scheme="atr"')
    np.testing.assert_array_equal(read_label_map(tmp_path / "a.npy", scheme="atr"), to_cihp(ids, "atr"))


# Files that cannot be read ------------------------------------------------------------------------


def test_files_that_cannot_be_read_at_all(tmp_path):
    whole = save(body(), tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "text.npy").write_text("no array")
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    for name in ("cut.png", "empty.png", "text.png", "missing.png", "text.npy", "objects.npy", "missing.npz", "."):
        path = tmp_path / name
        with pytest.raises(InputError) as caught:
            read_label_map(path)
        text = str(caught.value)
        assert text.startswith(str(path)) and ": " in text and text.endswith((".", ").")) and "\n" not in text, text
    np.savez(tmp_path / "two.npz", parse=body(), pose=np.zeros((18, 3)))
    refused(tmp_path / "two.npz", "holds 2 arrays (parse, pose)", "save the label map alone")


def test_unknown_scheme(tmp_path):
    for call in (lambda: read_label_map(body(), scheme="ccp"), lambda: check_label_maps([], scheme="ccp")):
        with pytest.raises(InputError, match=r"'ccp' is not known: use one of cihp, lip, atr, dresscode, acgpn\.$"):
            call()


# Folders ------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """Ten maps of a data set: three fine, four JPEGs, two photos in colour, one of another scheme."""
    for number in range(10):
        path = tmp_path / f"{number:04}.png"
        if number < 3:
            labels.to_palette_image(body()).save(path)
        elif number < 7:
            save(body(), path, format="JPEG")
        elif number < 9:
            save(np.random.default_rng(number).integers(0, 256, (128, 96, 3)).astype(np.uint8), path)
        else:
            save(from_cihp(body(), "atr"), path)
    return tmp_path


def test_problems_of_a_folder_are_grouped(folder):
    paths = sorted(folder.glob("*.png"))
    assert check_label_maps(paths[:3], [(128, 96)] * 3) == []
    problems = check_label_maps([str(path) for path in paths])
    assert [str(problem) for problem in problems[:2]] == [
        "4 of 10 label maps are JPEGs, which change ids along every edge (0003.png, 0004.png, 0005.png, ...): "
        "save label maps as PNG when they are made, for a JPEG cannot be repaired.",
        "2 of 10 label maps are RGB pictures, photos or drawings, not ids (0007.png, 0008.png): "
        "give the ids themselves as a grey or palette PNG, straight from the parser.",
    ]
    assert problems[0].names == ("0003.png", "0004.png", "0005.png", "0006.png") and problems[0].total == 10
    assert len(problems) == 3  # of a single map, the sentence with its figures and its whole path
    assert str(problems[2]).startswith(f"{paths[9]} looks like ATR-18") and problems[2].names == ("0009.png",)


def test_sizes_and_missing_files_of_a_folder(folder):
    paths = [folder / f"000{number}.png" for number in range(3)] + [folder / "x.png", folder / "y.png"]
    problems = check_label_maps(paths, [(256, 192), (512, 384), None, (128, 96), None])
    assert [str(problem) for problem in problems] == [
        "2 of 5 label maps are not as large as their photos (0000.png, 0001.png): "
        "resize label maps with the nearest neighbour (Image.Resampling.NEAREST), which mixes no ids.",
        "2 of 5 label maps cannot be read (x.png, y.png): check the names, or copy or make them again.",
    ]
    with pytest.raises(InputError, match="There are 5 label maps but 1 sizes: give one size for each"):
        check_label_maps(paths, [(128, 96)])


def test_a_folder_of_one_scheme(tmp_path):
    paths = [save(from_cihp(body(lower), "atr"), tmp_path / f"{lower}.png") for lower in ("pants", "skirt")]
    assert check_label_maps(paths, scheme="atr") == []
    (problem,) = check_label_maps(paths)
    assert str(problem).startswith(
        "2 of 2 label maps look like ATR-18 (DressCode's ids), in which 11 is the head (pants.png, "
    )
    assert 'read with scheme="atr"' in str(problem)


# Command ------------------------------------------------------------------------------------------


def test_command_says_what_each_file_holds(folder, capsys):
    assert main([str(folder / "0000.png")]) == 0
    out, err = capsys.readouterr()
    assert (
        out == (f"{folder / '0000.png'}: 128x96 (height x width), CIHP-20 ids 0 2 5 9 10 13 14 15 16 17 18 19\n")
        and not err
    )
    assert main([str(folder / "0003.png"), str(folder / "0001.png")]) == 2
    out, err = capsys.readouterr()
    assert "0001.png: 128x96" in out and err.startswith(f"{folder / '0003.png'} is a JPEG") and err.count("\n") == 1


def test_command_converts(folder, tmp_path, capsys):
    source, out = folder / "0009.png", tmp_path / "out"
    assert main([str(source), "--scheme", "atr", "--out", str(out)]) == 0
    with Image.open(out / "0009.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), to_cihp(from_cihp(body(), "atr"), "atr"))
    before = source.read_bytes()
    assert main([str(source), "--scheme", "atr", "--out", str(folder)]) == 2  # would replace what it reads
    assert "exists already: choose another folder" in capsys.readouterr().err and source.read_bytes() == before
