from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vto_utils import labels
from vto_utils.errors import AssetError, InputError, NoPersonError, OutputError
from vto_utils.pose import KEYPOINT_NAMES, Pose, from_openpose_json
from vto_utils.preprocessing import (
    Report,
    draw_body25,
    make_pairs,
    preprocess_folders,
    to_body25,
)
from vto_utils.tryon import TryOn

SAMPLES = Path(__file__).resolve().parent.parent / "sample_images"
SIZE = (256, 192)  # height, width
PERSON_FILES = (
    "image/{}.jpg", "image-parse-v3/{}.png", "image-parse-agnostic-v3.2/{}.png", "agnostic-v3.2/{}.jpg",
    "agnostic-mask/{}_mask.png", "openpose_json/{}_keypoints.json", "openpose_img/{}_rendered.png",
)  # fmt: skip
CLOTH_FILES = ("cloth/{}.jpg", "cloth-mask/{}.jpg")


class Untouchable:
    """Stands where models would be and must not be needed."""

    def __getattr__(self, name: str):
        raise AssertionError(f"the models were used ({name}), though everything is ready")


class Counting:
    """Passes everything on to the real models and remembers what for."""

    def __init__(self, models: TryOn) -> None:
        self.models, self.calls = models, []

    def prepare_person(self, image):
        self.calls.append("person")
        return self.models.prepare_person(image)

    def prepare_garment(self, image):
        self.calls.append(Path(image).name)
        return self.models.prepare_garment(image)


def sample(source: str, target: Path, size: tuple[int, int] = SIZE) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(SAMPLES / source) as image:
        image.resize(size[::-1], Image.Resampling.LANCZOS).save(target)


def tree(root: Path) -> set[str]:
    """Every file below ``root``, the records of what is done aside."""
    files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    return {path for path in files if "/.done/" not in f"/{path}"}


def stamps(root: Path) -> dict[str, int]:
    """When each file of a photo was written; the lists of pairs are written by every run."""
    return {path: (root / path).stat().st_mtime_ns for path in tree(root) if "_pairs" not in path}


def changes(root: Path, before: dict[str, int]) -> set[str]:
    return {path for path, stamp in stamps(root).items() if before.get(path) != stamp}


def expected_files(persons: list[str], cloths: list[str], split: str = "test") -> set[str]:
    files = {f"{split}/{path.format(name)}" for name in persons for path in PERSON_FILES}
    files |= {f"{split}/{path.format(name)}" for name in cloths for path in CLOTH_FILES}
    return files | {f"{split}_pairs.txt", f"{split}_pairs_unpaired.txt"}


@pytest.fixture(scope="module")
def models(model_files):
    with TryOn(device="cpu") as tryon:
        yield tryon


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Two people and two garments, and other things that lie about in folders."""
    root = tmp_path_factory.mktemp("photos")
    sample("person/person_1.jpg", root / "person/anna.jpg")
    with Image.open(SAMPLES / "person/person_3.jpg") as image:  # taller than 3:4
        tall = image.crop((200, 0, 600, 1024)).resize((200, 512), Image.Resampling.LANCZOS)
        tall.save(root / "person/my photo (2).png")
    sample("cloth/tshirt_print.jpg", root / "cloth/anna.jpg")
    sample("cloth/trousers.jpg", root / "cloth/jeans.webp")
    for name in (".DS_Store", "README.txt", ".hidden.jpg", "Thumbs.db"):
        (root / "person" / name).write_bytes(b"no photo")
        (root / "cloth" / name).write_bytes(b"no photo")
    (root / "person/old.jpg").mkdir()
    return root


@pytest.fixture(scope="module")
def finished(photos, models, tmp_path_factory) -> tuple[Path, Report]:
    """A data set made from ``photos``; copy it before changing it."""
    out = tmp_path_factory.mktemp("data") / "set"
    return out, preprocess_folders(photos / "person", photos / "cloth", out, False, models, SIZE)


@pytest.fixture
def copy(finished, photos, tmp_path) -> tuple[Path, Path]:
    """(photos, data set) to change at will; times of change are kept."""
    return shutil.copytree(photos, tmp_path / "photos"), shutil.copytree(finished[0], tmp_path / "set")


# Layout -------------------------------------------------------------------------------------------


def test_writes_exactly_the_files_of_the_layout(finished):
    out, report = finished
    assert (report.done, report.skipped, report.failed) == (4, 0, [])
    assert tree(out) == expected_files(["anna", "my_photo_2_"], ["anna", "jeans"])
    pairs = "anna.jpg anna.jpg\nmy_photo_2_.jpg jeans.jpg\n"
    assert (out / "test_pairs.txt").read_text() == (out / "test_pairs_unpaired.txt").read_text() == pairs
    for person, cloth in map(str.split, pairs.splitlines()):  # as loaders read it
        assert (out / "test/image" / person).exists() and (out / "test/cloth" / cloth).exists()


@pytest.mark.parametrize(
    ("path", "kind", "mode"),
    [
        ("image/{}.jpg", "JPEG", "RGB"),
        ("image-parse-v3/{}.png", "PNG", "P"),
        ("image-parse-agnostic-v3.2/{}.png", "PNG", "P"),
        ("agnostic-v3.2/{}.jpg", "JPEG", "RGB"),
        ("agnostic-mask/{}_mask.png", "PNG", "L"),
        ("openpose_img/{}_rendered.png", "PNG", "RGB"),
        ("cloth/{}.jpg", "JPEG", "RGB"),
        ("cloth-mask/{}.jpg", "JPEG", "L"),
    ],
)
def test_formats_and_sizes(finished, path, kind, mode):
    for name in ("anna", "jeans" if path in CLOTH_FILES else "my_photo_2_"):
        with Image.open(finished[0] / "test" / path.format(name)) as image:
            assert (image.format, image.mode, image.size) == (kind, mode, SIZE[::-1])
            if mode == "P":
                assert np.asarray(image).max() <= 19
                assert image.getpalette()[: 3 * 20] == labels.palette()[:20].reshape(-1).tolist()
            if mode == "L":
                values = np.asarray(image)
                if kind == "PNG":
                    assert set(np.unique(values)) == {0, 255}
                assert ((values > 32) & (values < 224)).mean() < 0.02  # JPEG may soften an edge a little


def read(root: Path, path: str) -> np.ndarray:
    with Image.open(root / "test" / path) as image:
        return np.array(image)


def test_person_photo_is_the_photo(finished, photos):
    with Image.open(photos / "person/anna.jpg") as image:
        assert np.abs(read(finished[0], "image/anna.jpg").astype(int) - np.asarray(image)).mean() < 2


def test_other_shapes_are_fitted_on_white_without_distortion(finished, photos):
    written = read(finished[0], "image/my_photo_2_.jpg").astype(int)
    with Image.open(photos / "person/my photo (2).png") as image:
        inner = np.asarray(image.resize((100, 256), Image.Resampling.LANCZOS)).astype(int)
    assert written[:, :40].min() > 245 and written[:, -40:].min() > 245
    assert np.abs(written[:, 46:146] - inner).mean() < 2


def test_labels_say_what_is_where(finished):
    parsing = read(finished[0], "image-parse-v3/anna.png")
    for name in ("hair", "face", "upper-clothes", "pants", "left-arm", "right-arm"):
        assert (parsing == labels.ID[name]).sum() > 100, name
    xs = {side: np.nonzero(parsing == labels.ID[f"{side}-arm"])[1].mean() for side in ("left", "right")}
    assert xs["right"] < xs["left"]  # of someone who faces the camera


def test_agnostic_files_show_one_region(finished):
    out = finished[0]
    for name in ("anna", "my_photo_2_"):
        region = read(out, f"agnostic-mask/{name}_mask.png") > 0
        parsing = read(out, f"image-parse-v3/{name}.png")
        rest = read(out, f"image-parse-agnostic-v3.2/{name}.png")
        np.testing.assert_array_equal(rest, np.where(region, 0, parsing))
        assert not labels.select(rest, labels.CATEGORIES["upper_body"]).any()
        assert not region[labels.select(parsing, labels.CATEGORIES["lower_body"])].any()
        photo, grey = (read(out, f"{folder}/{name}.jpg").astype(int) for folder in ("image", "agnostic-v3.2"))
        assert np.abs(grey - 128)[region].mean() < 4
        assert np.abs(grey - photo)[~region].mean() < 4


def test_garment_is_centred_on_white_with_its_mask(finished):
    for name in ("anna", "jeans"):
        picture, mask = (read(finished[0], f"{folder}/{name}.jpg") for folder in ("cloth", "cloth-mask"))
        inside = mask >= 128  # as loaders read it
        ys, xs = np.nonzero(inside)
        assert 0.1 < inside.mean() < 0.9
        assert abs(ys.min() + ys.max() - SIZE[0]) <= 3 and abs(xs.min() + xs.max() - SIZE[1]) <= 3
        assert picture[mask == 0].mean() > 250
        assert picture[inside].mean() < 200


def test_key_points_are_body25_in_pixels(finished, models, photos):
    document = json.loads((finished[0] / "test/openpose_json/anna_keypoints.json").read_text())
    points = np.array(document["people"][0]["pose_keypoints_2d"]).reshape(25, 3)
    pose = models.prepare_person(photos / "person/anna.jpg").pose
    again = from_openpose_json(json.dumps(document))
    known = pose.keypoints[:, 2] > 0
    np.testing.assert_allclose(again.keypoints[known], pose.keypoints[known], atol=0.01)
    # What HR-VITON does with them: both hips and shoulders are taken as known.
    assert (points[[2, 5, 9, 12], :2] > 0).all()
    assert points[2, 0] < points[5, 0] and points[9, 0] < points[12, 0]
    parsing = read(finished[0], "image-parse-v3/anna.png")
    (x2, y2), (x5, y5), (x9, y9), (x12, y12) = (points[i, :2] for i in (2, 5, 9, 12))
    assert parsing[int((y2 + y5 + y9 + y12) / 4), int((x2 + x5 + x9 + x12) / 4)] == labels.ID["upper-clothes"]
    drawn = read(finished[0], "openpose_img/anna_rendered.png")
    assert drawn[int(y2), int(x2)].max() > 200 and not drawn[:5].any()


# Continuing ---------------------------------------------------------------------------------------


def test_a_second_run_has_nothing_to_do(finished, photos, capsys):
    out, before = finished[0], stamps(finished[0])
    report = preprocess_folders(photos / "person", str(photos / "cloth"), str(out), True, Untouchable(), SIZE)
    assert (report.done, report.skipped, report.failed) == (0, 4, [])
    assert changes(out, before) == set()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("damage", ["missing", "cut short", "no record", "broken record", "newer photo", "other photo"])
def test_what_is_not_as_it_was_is_made_again(copy, models, damage, capsys):
    photos, out = copy
    path = out / "test/cloth/jeans.jpg"
    whole, before = path.read_bytes(), stamps(out)
    record = out / "test/.done/cloth/jeans.json"
    if damage == "missing":
        path.unlink()
    elif damage == "cut short":
        path.write_bytes(whole[:500])
    elif damage == "no record":
        record.unlink()
    elif damage == "broken record":
        record.write_text(record.read_text()[:20])
    elif damage == "newer photo":
        os.utime(photos / "cloth/jeans.webp")
    else:
        sample("cloth/tank_top.jpg", photos / "cloth/jeans.webp")
    counting = Counting(models)
    report = preprocess_folders(photos / "person", photos / "cloth", out, True, counting, SIZE)
    assert (report.done, report.skipped, report.failed) == (1, 3, [])
    assert counting.calls == ["jeans.webp"]
    assert (path.read_bytes() == whole) == (damage != "other photo")
    assert changes(out, before) == {"test/cloth/jeans.jpg", "test/cloth-mask/jeans.jpg"}
    err = capsys.readouterr().err
    assert "4/4" in err and ("photo/s" in err or "s/photo" in err)
    report = preprocess_folders(photos / "person", photos / "cloth", out, False, Untouchable(), SIZE)
    assert report.skipped == 4


def test_another_category_changes_only_the_people(copy, models):
    photos, out = copy
    (photos / "person/anna.jpg").unlink()
    counting = Counting(models)
    arguments = {"progress": False, "size": SIZE, "category": "lower_body"}
    report = preprocess_folders(photos / "person", photos / "cloth", out, tryon=counting, **arguments)
    assert (report.done, report.skipped) == (1, 2) and counting.calls == ["person"]
    region = read(out, "agnostic-mask/my_photo_2__mask.png") > 0
    parsing = read(out, "image-parse-v3/my_photo_2_.png")
    assert region[labels.select(parsing, labels.CATEGORIES["lower_body"])].all()
    assert not region[labels.select(parsing, labels.CATEGORIES["upper_body"])].any()
    # Both garments go to the one person that is left.
    assert (out / "test_pairs.txt").read_text() == "my_photo_2_.jpg anna.jpg\nmy_photo_2_.jpg jeans.jpg\n"


@pytest.mark.parametrize("call", [4, 7])  # in the person's files, in the garment's
def test_stopping_leaves_nothing_half_written(photos, finished, models, tmp_path, monkeypatch, call):
    persons, cloths, out = tmp_path / "person", tmp_path / "cloth", tmp_path / "set"
    for folder in (persons, cloths):
        folder.mkdir()
        shutil.copy2(photos / folder.name / "anna.jpg", folder)
    save, calls = Image.Image.save, []

    def interrupted(self, path, *args, **kwargs):
        calls.append(path)
        save(self, path, *args, **kwargs)
        if len(calls) == call:
            os.truncate(path, os.path.getsize(path) // 2)  # as Ctrl-C in the middle of writing
            raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", interrupted)
    arguments = {"progress": False, "tryon": models, "size": SIZE}
    with pytest.raises(KeyboardInterrupt):
        preprocess_folders(persons, cloths, out, **arguments)
    monkeypatch.undo()
    written = tree(out)
    assert written and not [path for path in written if Path(path).name.startswith(".")]
    for path in written:  # what is there is what an undisturbed run writes
        assert (out / path).read_bytes() == (finished[0] / path).read_bytes(), path
    assert "test_pairs.txt" not in written
    report = preprocess_folders(persons, cloths, out, **arguments)
    assert (report.done, report.skipped, report.failed) == ((2, 0, []) if call == 4 else (1, 1, []))
    assert tree(out) == expected_files(["anna"], ["anna"])
    for path in tree(out / "test"):
        assert (out / "test" / path).read_bytes() == (finished[0] / "test" / path).read_bytes(), path


# Bad photos ---------------------------------------------------------------------------------------


def test_bad_photos_are_listed_and_the_others_go_on(copy, models):
    photos, out = copy
    persons, cloths = photos / "person", photos / "cloth"
    whole = (SAMPLES / "person/person_1.jpg").read_bytes()
    (persons / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (persons / "empty.png").write_bytes(b"")
    (persons / "text.jpg").write_text("not a photo")
    Image.linear_gradient("L").save(persons / "nobody.webp")
    shutil.copy(persons / "anna.jpg", persons / "Anna.png")
    sample("person/person_2.jpg", cloths / "worn.jpg")
    Image.new("RGB", (200, 200), "white").save(cloths / "white.png")
    report = preprocess_folders(persons, cloths, out, False, models, SIZE)
    reasons = {path.name: reason for path, reason in report.failed}
    words = {
        "cut.jpg": "cut short", "empty.png": "empty", "text.jpg": "not an image", "nobody.webp": "erson",
        "Anna.png": "anna.jpg", "worn.jpg": "shows a person", "white.png": "no garment",
    }  # fmt: skip
    assert set(reasons) == set(words)
    for name, word in words.items():
        assert reasons[name].startswith(name) and word in reasons[name]
        assert "\n" not in reasons[name] and reasons[name].endswith(".")
        assert str(photos) not in reasons[name]
    assert all(path.parent in (persons, cloths) for path, _ in report.failed)
    assert (report.done, report.skipped) == (0, 4)
    assert (out / "test_pairs.txt").read_text() == "anna.jpg anna.jpg\nmy_photo_2_.jpg jeans.jpg\n"
    text = str(report)
    assert "7 failed" in text and all(reason in text for reason in reasons.values())


def test_any_failure_of_one_photo_is_that_photos_own(copy, models):
    class Broken(Counting):
        def prepare_person(self, image):
            self.calls.append("person")
            if len(self.calls) == 1:
                raise ZeroDivisionError("division by zero")
            raise NoPersonError("The person photo: nobody is there.")

    photos, out = copy
    shutil.rmtree(out / "test/.done/person")
    report = preprocess_folders(photos / "person", photos / "cloth", out, False, Broken(models), SIZE)
    assert (report.done, report.skipped) == (0, 2)
    assert [reason for _, reason in report.failed] == [
        "anna.jpg could not be prepared (ZeroDivisionError: division by zero): try another photo.",
        "my photo (2).png: nobody is there.",
    ]
    assert (out / "test_pairs.txt").read_text() == ""  # lists only what is ready


@pytest.mark.parametrize("error", [AssetError, OutputError])
def test_what_is_no_fault_of_the_photo_stops_the_run(photos, tmp_path, error):
    class Unable:
        def prepare_person(self, image):
            raise error("No room.")

    with pytest.raises(error, match="No room"):
        preprocess_folders(photos / "person", photos / "cloth", tmp_path, False, Unable(), SIZE)


# Arguments ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"persons": "missing"}, "missing.*people"),
        ({"cloths": "missing"}, "missing.*garments"),
        ({"persons": "person/anna.jpg"}, "anna.jpg"),
        ({"cloths": "empty"}, "no photo in .*empty.*garments"),
        ({"category": "shoes"}, "'shoes'.*upper_body"),
        ({"size": (256, 10)}, "256x10.*64"),
        ({"split": "../test"}, "'../test'"),
        ({"split": ""}, "split"),
        ({"out": "person/anna.jpg"}, "anna.jpg is not a folder"),
    ],
)
def test_arguments_that_cannot_be_used(copy, arguments, words):
    photos, _ = copy
    (photos / "empty").mkdir()
    (photos / "empty/README.txt").write_text("no photo")
    given = {"persons": "person", "cloths": "cloth", "out": "new", **arguments}
    for name in ("persons", "cloths", "out"):
        given[name] = photos / given[name]
    before = tree(photos)
    with pytest.raises(InputError, match=words) as caught:
        preprocess_folders(**given, progress=False, tryon=Untouchable())
    assert "\n" not in str(caught.value)
    assert tree(photos) == before


def test_the_users_own_photos_are_never_overwritten(finished):
    out = finished[0]
    before = stamps(out)
    with pytest.raises(InputError, match="overwritten"):
        preprocess_folders(out / "test/image", out / "test/cloth", out, False, Untouchable(), SIZE)
    assert stamps(out) == before


def test_a_folder_that_may_not_be_written(photos, unprivileged):
    with pytest.raises(OutputError, match="permission"):
        preprocess_folders(photos / "person", photos / "cloth", unprivileged, False, Untouchable(), SIZE)


# Pairs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("persons", "cloths", "pairs"),
    [
        ("a b", "a b", "aa bb"),
        ("a b c", "x y", "ax by cx"),
        ("a b", "x y z", "ax az by"),
        ("a b c", "b x", "ax bb cx"),
        ("a b", "a b x y", "aa ax bb by"),
        ("a b c", "a", "aa ba ca"),
        ("", "x", ""),
        ("a", "", ""),
    ],
)
def test_pairs(persons, cloths, pairs):
    made = make_pairs(persons.split(), cloths.split())
    assert ["".join(pair) for pair in made] == pairs.split()


# Key points ---------------------------------------------------------------------------------------


def standing(*unknown: str) -> Pose:
    keypoints = np.zeros((18, 3), np.float32)
    places = {
        "nose": (50, 20), "neck": (50, 40), "right_shoulder": (38, 40), "left_shoulder": (62, 40),
        "right_elbow": (34, 60), "left_elbow": (66, 60), "right_wrist": (32, 78), "left_wrist": (68, 78),
        "right_hip": (43, 80), "left_hip": (57, 80), "right_knee": (43, 110), "left_knee": (57, 110),
    }  # fmt: skip
    for name, place in places.items():
        if name not in unknown:
            keypoints[KEYPOINT_NAMES.index(name)] = *place, 0.8
    return Pose(keypoints)


def test_body25_order_and_round_trip():
    pose = standing()
    points = to_body25(pose, (120, 100))
    assert points.shape == (25, 3) and points.dtype == np.float32
    np.testing.assert_allclose(points[8], (50, 80, 0.8))  # middle of the hips
    np.testing.assert_allclose(points[[9, 12], :2], [(43, 80), (57, 80)])
    np.testing.assert_allclose(points[[10, 13], :2], [(43, 110), (57, 110)])
    assert not points[[11, 14, *range(15, 25)]].any()
    document = {"people": [{"pose_keypoints_2d": points.reshape(-1).tolist()}]}
    np.testing.assert_array_equal(from_openpose_json(json.dumps(document)).keypoints, pose.keypoints)


def test_body25_keeps_hips_outside_the_picture():
    points = to_body25(standing("right_hip", "left_hip"), (120, 100))
    assert (points[[9, 12], 2] > 0).all() and (points[[9, 12], 2] < 0.1).all()
    assert points[9, 0] < 50 < points[12, 0] and (points[[9, 12], 1] > 60).all()
    with pytest.raises(NoPersonError, match="shoulders"):
        to_body25(standing("left_shoulder"), (120, 100))


def test_body25_feet_come_from_the_landmarks_inside_the_picture():
    landmarks = np.full((33, 3), 50, np.float32)
    landmarks[[29, 30, 31, 32]] = [(57, 116, 0.9), (43, 117, 0.8), (58, 125, 0.7), (42, 118, 0.6)]
    points = to_body25(Pose(standing().keypoints, landmarks), (120, 100))
    np.testing.assert_array_equal(points[[21, 24, 22]], landmarks[[29, 30, 32]])
    assert not points[[19, 20, 23]].any()  # left toe below the picture, small toes not known


def test_body25_picture_has_openposes_colours():
    points = to_body25(standing(), (120, 100)) * np.array([4, 4, 1], np.float32)
    picture = np.asarray(draw_body25(points, (480, 400)))
    assert picture.shape == (480, 400, 3) and picture.dtype == np.uint8
    assert tuple(picture[160, 152]) == (255, 85, 0)  # right shoulder
    assert tuple(picture[276, 132]) == (255, 255, 0)  # right forearm, the colour of the wrist
    assert tuple(picture[276, 268]) == (0, 255, 0)  # left forearm
    assert tuple(picture[240, 200]) == (255, 0, 0)  # spine
    assert not picture[:40].any() and not picture[:, :100].any()
    assert not draw_body25(np.zeros((25, 3), np.float32), (64, 64)).getbbox()
