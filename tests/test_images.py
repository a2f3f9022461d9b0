from __future__ import annotations

import errno
import io
import os
import struct
import warnings
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, ImageOps

from vto_utils import images
from vto_utils.errors import InputError, OutputError

HEIGHT, WIDTH = 48, 40


@pytest.fixture
def rgb() -> np.ndarray:
    """Smooth and different in every direction, so that a turn, a flip or a channel swap shows."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([x * 6, y * 5, 255 - (x + y) * 2], axis=2).astype(np.uint8)


@pytest.fixture
def photo(rgb) -> Image.Image:
    return Image.fromarray(rgb)


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def difference(image: Image.Image, expected: np.ndarray) -> int:
    assert image.mode == "RGB"
    return int(np.abs(np.asarray(image, dtype=int) - expected).max())


# Reading: sources and modes -----------------------------------------------------------------------


def test_every_kind_of_source_gives_the_same_image(photo, rgb, tmp_path):
    path = tmp_path / "a photo, with Ümlaut.png"
    photo.save(path)
    data = path.read_bytes()
    for source in (path, str(path), data, bytearray(data), memoryview(data), photo, rgb):
        assert difference(images.load_image(source), rgb) == 0


def test_result_does_not_share_memory_with_the_source(photo, rgb):
    for source in (photo, rgb):
        images.load_image(source).paste((1, 2, 3), (0, 0, WIDTH, HEIGHT))
    assert difference(photo, images.to_array(photo)) == 0
    assert rgb[0, 0].tolist() == [0, 0, 255]


@pytest.mark.parametrize(("mode", "tolerance"), [("CMYK", 0), ("YCbCr", 3), ("HSV", 8), ("RGBA", 0), ("RGBX", 0)])
def test_colour_modes_keep_their_colours(photo, rgb, mode, tolerance):
    assert difference(images.load_image(photo.convert(mode)), rgb) <= tolerance


def test_lab_mode(rgb):
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    to_lab = ImageCms.buildTransform(srgb, lab, "RGB", "LAB")
    soft = (rgb * 0.4 + 70).astype(np.uint8)  # 8 bits of Lab are coarse for strong colours
    loaded = images.load_image(ImageCms.applyTransform(Image.fromarray(soft), to_lab))
    assert difference(loaded, soft) <= 12
    assert np.abs(images.to_array(loaded) - soft.astype(float)).mean() < 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "La", "P", "PA"])
def test_grey_and_palette_modes(photo, mode):
    grey = photo.convert("L")
    source = grey.convert("LA").convert("La") if mode == "La" else grey.convert(mode)
    expected = np.asarray(source.convert("L") if mode == "1" else grey, dtype=int)[:, :, None]
    assert difference(images.load_image(source), expected) <= 1


def test_transparency_lies_on_white(photo, rgb):
    alpha = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    alpha[:, WIDTH // 2 :] = 255
    alpha[0, 0] = 128
    expected = np.where(alpha[:, :, None] == 255, rgb, 255).astype(int)
    expected[0, 0] = np.rint(rgb[0, 0] * (128 / 255) + 255 * (127 / 255))
    source = photo.copy()
    source.putalpha(Image.fromarray(alpha))
    assert difference(images.load_image(source), expected) <= 1
    assert difference(images.load_image(np.dstack([rgb, alpha])), expected) <= 1
    assert difference(images.load_image(encoded(source, "WEBP", lossless=True, exact=True)), expected) <= 1


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_palette_transparency_lies_on_white(kind):
    source = Image.new("P", (WIDTH, HEIGHT), 0)
    source.putpalette([10, 20, 30, 200, 0, 0])
    source.paste(1, (0, 0, WIDTH // 2, HEIGHT))
    expected = np.full((HEIGHT, WIDTH, 3), 255)
    expected[:, : WIDTH // 2] = (200, 0, 0)
    assert difference(images.load_image(encoded(source, kind, transparency=0)), expected) == 0


def test_colour_key_transparency_lies_on_white(photo, rgb):
    key = tuple(int(value) for value in rgb[5, 7])
    loaded = images.load_image(encoded(photo, transparency=key))
    assert loaded.getpixel((7, 5)) == (255, 255, 255)
    assert loaded.getpixel((8, 5)) == tuple(rgb[5, 8])


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "<i4", "<f4"])
def test_sixteen_bits_become_eight(dtype):
    grey = np.linspace(0, 255, HEIGHT * WIDTH).astype(np.uint8).reshape(HEIGHT, WIDTH)
    values = (grey.astype(np.uint32) * 257).astype(dtype)
    assert difference(images.load_image(values), grey[:, :, None].astype(int)) == 0
    image = Image.fromarray(values.astype(dtype.replace(">", "<")))
    assert difference(images.load_image(image), grey[:, :, None].astype(int)) == 0


def test_sixteen_bit_png_file():
    grey = np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH) * 34
    loaded = images.load_image(encoded(Image.fromarray(grey)))
    assert difference(loaded, np.rint(grey / 257).astype(int)[:, :, None]) == 0


def test_float_ranges(rgb):
    unit = rgb / 255
    for source in (unit, unit.astype(np.float32), unit.astype(np.float16), rgb.astype(np.float64)):
        assert difference(images.load_image(source), rgb) <= 1
    single = Image.fromarray(unit[:, :, 0].astype(np.float32))
    assert single.mode == "F" and difference(images.load_image(single), rgb[:, :, :1]) == 0
    unit[0, 0], unit[0, 1] = -0.04, 1.06  # as bicubic resizing leaves it: still the range 0..1
    loaded = images.load_image(unit)
    assert loaded.getpixel((0, 0)) == (0, 0, 0) and loaded.getpixel((1, 0)) == (255, 255, 255)


def test_small_integers_and_booleans(rgb):
    assert difference(images.load_image(rgb.astype(np.int64)), rgb) == 0
    assert difference(images.load_image(rgb[:, :, :1] > 100), (rgb[:, :, :1] > 100) * 255) == 0


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_orientation_tag_is_applied(photo, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(photo, kind, exif=exif)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    loaded = images.load_image(data)
    assert loaded.size == ((WIDTH, HEIGHT) if orientation < 5 else (HEIGHT, WIDTH))
    assert difference(loaded, np.asarray(expected, dtype=int)) == 0
    assert difference(images.load_image(Image.open(io.BytesIO(data))), np.asarray(expected, dtype=int)) == 0


def test_orientation_that_makes_no_sense_is_ignored(photo, rgb):
    exif = Image.Exif()
    exif[0x0112] = 77
    assert difference(images.load_image(encoded(photo, exif=exif)), rgb) == 0
    assert difference(images.load_image(encoded(photo, exif=b"Exif\0\0nonsense")), rgb) == 0


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_first_frame_of_an_animation(kind):
    frames = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ("red", "blue", "lime")]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert difference(images.load_image(data), np.array([255, 0, 0])) <= 2


def icc_profile(primaries: list[tuple[float, float, float]]) -> bytes:
    """A linear RGB matrix profile (ICC v2) with the given red, green and blue primaries (XYZ, D50)."""

    def fixed(*values: float) -> bytes:
        return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + fixed(*values)

    text = b"test\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        **{name: xyz(*values) for name, values in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)},
        **{name: b"curv\0\0\0\0" + struct.pack(">IH", 1, 563) + b"\0\0" for name in (b"rTRC", b"gTRC", b"bTRC")},
    }
    table, body, offset = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    head = struct.pack(">II", offset + len(body), 0) + bytes.fromhex("02100000") + b"mntrRGB XYZ "
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + fixed(0.9642, 1.0, 0.8249)
    return head.ljust(128, b"\0") + table + body


def test_colour_profile_is_converted():
    red, green, blue = (0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)
    swapped = icc_profile([green, red, blue])  # here (255, 0, 0) means green
    source = Image.new("RGB", (WIDTH, HEIGHT), (255, 0, 0))
    assert difference(images.load_image(encoded(source, icc_profile=swapped)), np.array([0, 255, 0])) <= 12
    source.putalpha(Image.new("L", source.size, 255))
    assert difference(images.load_image(encoded(source, icc_profile=swapped)), np.array([0, 255, 0])) <= 12


def test_broken_colour_profile_is_ignored(photo, rgb):
    assert difference(images.load_image(encoded(photo, icc_profile=b"not a profile")), rgb) == 0


def test_metadata_stays_behind(photo, tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "Camera maker"
    exif.get_ifd(0x8825)[1] = "N"
    data = encoded(photo, "JPEG", exif=exif, comment=b"at home", icc_profile=b"abc")
    loaded = images.load_image(data)
    assert loaded.info == {} and len(loaded.getexif()) == 0
    for suffix in images.IMAGE_SUFFIXES:
        path = tmp_path / f"copy{suffix}"
        images.save_image(Image.open(io.BytesIO(data)), path)
        assert b"Camera maker" not in path.read_bytes() and b"at home" not in path.read_bytes()
        assert len(Image.open(path).getexif()) == 0


# Reading: errors ----------------------------------------------------------------------------------


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header promises this size; the pixels are missing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def noise(kind: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    return encoded(Image.fromarray(pixels), kind)


BAD_FILES = {
    "empty.jpg": (b"", "empty"),
    "text.jpg": (b"This is only a text.\n" * 50, "known format"),
    "page.png": (b"<!DOCTYPE html><html><body>404</body></html>", "known format"),
    "picture.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\n", "known format"),
    "phone.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200), "HEIC"),
    "phone.jpg": (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(200), "HEIC"),
    "cut.jpg": (noise("JPEG")[:5000], "damaged or cut short"),
    "cut.png": (noise("PNG")[:5000], "damaged or cut short"),
    "cut.webp": (noise("WEBP")[:5000], "damaged"),
    "cut.gif": (noise("GIF")[:5000], "damaged or cut short"),
    "cut.bmp": (noise("BMP")[:5000], "damaged or cut short"),
    "cut.tiff": (noise("TIFF")[:5000], "damaged"),
    "head.jpg": (noise("JPEG")[:100], "damaged"),
    "garbled.png": (noise("PNG")[:60] + bytes(3000), "damaged"),
    "dot.png": (png_of_size(1, 1), "1 pixels wide and 1 high"),
    "line.png": (png_of_size(3000, 31), "31 high"),
    "big.png": (png_of_size(9000, 9000), "too large (9000 wide, 9000 high)"),
    "bigger.png": (png_of_size(12000, 12000), "too large"),
    "bomb.png": (png_of_size(60000, 60000), "too large"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file_is_one_sentence_that_names_it(name, tmp_path, capfd):
    data, words = BAD_FILES[name]
    path = tmp_path / name
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError) as caught:
            images.load_image(path)
        with pytest.raises(InputError):
            images.load_image(data)
    message = str(caught.value)
    assert message.startswith(str(path)) and words in message and message.endswith(".") and "\n" not in message
    assert ":" in message.removeprefix(str(path))  # after the colon: what to do
    assert capfd.readouterr() == ("", "")


def test_missing_file_folder_and_odd_paths(tmp_path):
    with pytest.raises(InputError, match="does not exist.*check"):
        images.load_image(tmp_path / "nothing.jpg")
    with pytest.raises(InputError, match="is a folder"):
        images.load_image(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="could not be opened|does not exist"):
        images.load_image(tmp_path / "file" / "photo.jpg")
    with pytest.raises(InputError, match="could not be opened"):
        images.load_image("x" * 5000 + ".jpg")
    with pytest.raises(InputError, match="could not be opened"):
        images.load_image("nul\0byte.jpg")
    with pytest.raises(InputError, match="folder|does not exist"):
        images.load_image("")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_named_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(InputError, match="not an ordinary file"):
        images.load_image(tmp_path / "pipe.jpg")


def test_no_permission_to_read(photo, tmp_path, unprivileged):
    path = tmp_path / "secret.png"
    if os.getuid() == 0:  # pytest's own folder is closed to other users, which is refusal enough
        with pytest.raises(InputError, match="may not be read by you"):
            images.load_image(path)
    else:
        photo.save(path)
        path.chmod(0)
        with pytest.raises(InputError, match="may not be read by you"):
            images.load_image(path)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((3, 64, 64)), "wide|shape"),
        (np.zeros((64, 64, 2)), "shape"),
        (np.zeros((1, 64, 64, 3)), "wide|shape"),
        (np.zeros(64), "wide"),
        (np.zeros((0, 64, 3)), "0 high"),
        (np.full((64, 64), np.nan), "NaN"),
        (np.full((64, 64, 3), -1.0), "negative"),
        (np.zeros((64, 64), dtype=complex), "complex"),
        (np.full((64, 64), "a"), "type"),
        (np.zeros((9000, 9000), dtype=bool), "too large"),
    ],
)
def test_bad_array(array, words):
    with pytest.raises(InputError, match=words):
        images.load_image(array)


def test_other_sources_are_refused():
    for source in (None, 3, [1, 2], torch.zeros(3, 64, 64)):
        with pytest.raises(InputError, match="give a path"):
            images.load_image(source)


def test_max_pixels_counts_for_every_source(photo, rgb):
    for source in (photo, rgb, encoded(photo)):
        assert images.load_image(source, max_pixels=WIDTH * HEIGHT).size == (WIDTH, HEIGHT)
        with pytest.raises(InputError, match="too large"):
            images.load_image(source, max_pixels=WIDTH * HEIGHT - 1)


# Writing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "tolerance"), [("a.png", 0), ("a.jpg", 8), ("a.JPEG", 8), ("new/folder/a.webp", 12)])
def test_saved_image_reads_back(photo, rgb, tmp_path, name, tolerance):
    path = tmp_path / name
    images.save_image(photo, path)
    assert difference(images.load_image(path), rgb) <= tolerance
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_saving_other_modes(photo, rgb, tmp_path):
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    mask[10:20] = 255
    images.save_image(mask, tmp_path / "mask.png")
    with Image.open(tmp_path / "mask.png") as back:
        assert back.mode == "L" and np.array_equal(np.asarray(back), mask)
    images.save_image(rgb, tmp_path / "array.png")
    assert difference(images.load_image(tmp_path / "array.png"), rgb) == 0
    clear = photo.convert("RGBA")
    clear.putalpha(0)
    images.save_image(clear, tmp_path / "clear.jpg")
    assert difference(Image.open(tmp_path / "clear.jpg"), np.array(255)) <= 1
    images.save_image(clear, tmp_path / "clear.png")
    assert Image.open(tmp_path / "clear.png").mode == "RGBA"


def test_quality_changes_the_size(photo, tmp_path):
    images.save_image(photo, tmp_path / "fine.jpg", quality=95)
    images.save_image(photo, tmp_path / "rough.jpg", quality=30)
    assert (tmp_path / "rough.jpg").stat().st_size < (tmp_path / "fine.jpg").stat().st_size


def test_full_disk_leaves_nothing_behind(photo, tmp_path, monkeypatch):
    path = tmp_path / "result.png"
    path.write_bytes(b"yesterday's result")

    def full(self, target, **options):
        with open(target, "wb") as file:
            file.write(b"half an image")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OutputError, match="No space left"):
        images.save_image(photo, path)
    assert path.read_bytes() == b"yesterday's result" and len(list(tmp_path.iterdir())) == 1


def test_side_too_long_for_the_format(tmp_path):
    with pytest.raises(OutputError, match=r"long\.webp"):
        images.save_image(Image.new("RGB", (16400, 32)), tmp_path / "long.webp")
    assert list(tmp_path.iterdir()) == []


def bad_targets(folder):
    (folder / "file").write_text("x")
    (folder / "folder.png").mkdir()
    return {
        folder / "result.bmp2": "ending '.bmp2' is not known",
        folder / "result": "no ending",
        folder / "folder.png": "is a folder",
        folder / "file" / "result.png": "not a folder",
        folder / ("x" * 300 + ".png"): "too long",
    }


def test_unwritable_targets(photo, tmp_path):
    for path, words in bad_targets(tmp_path).items():
        with pytest.raises(OutputError, match=words):
            images.check_writable(path)
        with pytest.raises(OutputError, match=words):
            images.save_image(photo, path)


def test_check_writable_allows_and_creates_nothing(tmp_path):
    images.check_writable(tmp_path / "new" / "folder" / "result.PNG")
    images.check_writable(tmp_path / "report.json", suffixes=(".json",))
    images.check_writable(tmp_path / "anything", suffixes=None)
    images.check_writable("result.jpg")
    assert list(tmp_path.iterdir()) == []


def test_check_writable_without_permission(unprivileged):
    with pytest.raises(OutputError, match="no permission"):
        images.check_writable(unprivileged / "result.png")
    with pytest.raises(OutputError, match="no permission"):
        images.check_writable(unprivileged / "new" / "result.png")


# Arrays and tensors -------------------------------------------------------------------------------


def test_array_of_any_mode(photo, rgb):
    assert np.array_equal(images.to_array(photo), rgb)
    assert images.to_array(photo.convert("L")).shape == (HEIGHT, WIDTH, 3)


def test_tensor_range_and_order(photo, rgb):
    tensor = images.to_tensor(photo)
    assert tensor.shape == (1, 3, HEIGHT, WIDTH) and tensor.dtype == torch.float32
    assert tensor[0, 2, 0, 0] == 1 and tensor[0, 0, 0, 0] == -1
    assert torch.allclose(tensor[0, :, 9, 4], torch.tensor(rgb[9, 4] / 127.5 - 1, dtype=torch.float32))


def test_tensor_round_trip_is_exact_for_every_value():
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    array = np.dstack([values, values.T, 255 - values])
    back = images.from_tensor(images.to_tensor(Image.fromarray(array)))
    assert np.array_equal(np.asarray(back), array)
    half = images.to_tensor(Image.fromarray(array)).bfloat16().requires_grad_()
    assert np.abs(np.asarray(images.from_tensor(half[0]), dtype=int) - array).max() <= 1
    assert images.from_tensor(torch.full((3, 4, 5), 9.0)).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (1, 8, 8), (1, 4, 8, 8), (8, 8)])
def test_tensor_of_another_shape_is_refused(shape):
    with pytest.raises(InputError, match="shape"):
        images.from_tensor(torch.zeros(shape))


@pytest.mark.parametrize("size", [(256, 192), (20, 64), (HEIGHT, WIDTH)])
def test_preprocess_equals_torchvision(photo, size):
    import torchvision.transforms as T

    result = images.preprocess(photo, size)
    assert result.shape == (1, 3, *size) and result.dtype == torch.float32
    assert torch.equal(result, T.Compose([T.Resize(size), T.ToTensor()])(photo).unsqueeze(0))


def test_preprocess_default_size_and_other_modes(photo):
    assert images.preprocess(photo).shape == (1, 3, 256, 192)
    assert images.preprocess(photo.convert("L")).shape == (1, 3, 256, 192)


def test_mask_to_tensor():
    mask = np.array([[0, 255], [51, 0]], dtype=np.uint8)
    tensor = images.mask_to_tensor(mask)
    assert tensor.shape == (1, 1, 2, 2) and tensor.dtype == torch.float32
    assert torch.allclose(tensor[0, 0], torch.tensor([[0, 1], [0.2, 0]]))
    for wrong in (mask.astype(float), mask[None]):
        with pytest.raises(InputError, match="mask"):
            images.mask_to_tensor(wrong)


# Size


def test_fit_keeps_the_shape_and_centres():
    photo = Image.fromarray(np.full((40, 20, 3), 100, np.uint8))
    fitted = np.asarray(images.fit(photo, (80, 80)))
    assert fitted.shape == (80, 80, 3)
    assert (fitted[:, 20:60] == 100).all()
    assert (fitted[:, :20] == 255).all() and (fitted[:, 60:] == 255).all()


def test_fit_of_a_mask_and_of_the_same_size():
    mask = Image.fromarray(np.full((10, 30), 200, np.uint8))
    fitted = np.asarray(images.fit(mask, (30, 30), fill=7))
    assert fitted.shape == (30, 30) and (fitted[10:20] == 200).all() and (fitted[:10] == 7).all()
    assert images.fit(mask, (10, 30)) is mask
