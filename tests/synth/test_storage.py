from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from drawn import (
    AtOnceFailingGenerator,
    DrawnGenerator,
    DyingGenerator,
    FailingGenerator,
    NewerGenerator,
    NotingGenerator,
    RefusingGenerator,
)
from PIL import Image

from vto_utils import labels
from vto_utils.errors import InputError, OutputError
from vto_utils.pose import KEYPOINT_NAMES, from_openpose_json
from vto_utils.synth import layout, records, storage
from vto_utils.synth.records import read_dataset
from vto_utils.synth.samples import SynthConfig
from vto_utils.synth.storage import check_size, write_dataset

SIZE = (64, 48)
CONFIG = SynthConfig(size=SIZE, held_out=0.3)
COUNT = 7
SPLITS = ("train", "test")
FILES_EACH = 20  # of a sample
ROOT = Path(__file__).resolve().parents[2]


def write(out: Path, count: int = COUNT, config: SynthConfig = CONFIG, generator=DrawnGenerator, **options):
    options = {"workers": 0, "progress": False} | options
    return write_dataset(config, out, count, generator=generator, **options)


def tree(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def stamps(root: Path) -> dict[str, int]:
    return {path.relative_to(root).as_posix(): path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A data set; copy it before changing it."""
    out = tmp_path_factory.mktemp("synth") / "set"
    write(out)
    return out


@pytest.fixture
def copy(finished, tmp_path) -> Path:
    return shutil.copytree(finished, tmp_path / "set")


# What is written ------------------------------------------------------------------------------------


def splits() -> dict[int, str]:
    generator = DrawnGenerator(CONFIG)
    return {index: generator.sample(index).split for index in range(COUNT)}


def test_exactly_the_files_of_the_layout(finished):
    expected = {"dataset.json", "manifest.txt"}
    expected |= {f"{split}_{name}.txt" for split in SPLITS for name in ("pairs", "pairs_unpaired")}
    for index, split in splits().items():
        first, second = f"{index:06d}_00", f"{index:06d}_01"
        for template in (
            "image/{}.jpg", "cloth/{}.jpg", "cloth-mask/{}.jpg", "image-parse-v3/{}.png", "image-swap/{}.jpg",
            "image-parse-agnostic-v3.2/{}.png", "agnostic-v3.2/{}.jpg", "agnostic-mask/{}_mask.png",
            "openpose_img/{}_rendered.png", "openpose_json/{}_keypoints.json", "image-densepose/{}.jpg",
            "image-parse-swap/{}.png", "person-mask/{}.png", "flow/{}.npz", "flow-swap/{}.npz", "geometry/{}.npz",
            "gt_cloth_warped_mask/{}.jpg", "params/{}.json",
        ):  # fmt: skip
            expected.add(f"{split}/{template.format(first)}")
        expected |= {f"{split}/cloth/{second}.jpg", f"{split}/cloth-mask/{second}.jpg"}
    assert set(tree(finished)) == expected
    assert set(splits().values()) == {"train", "test"}


@pytest.mark.parametrize(
    ("path", "kind", "mode"),
    [
        ("image/{}_00.jpg", "JPEG", "RGB"),
        ("image-swap/{}_00.jpg", "JPEG", "RGB"),
        ("cloth/{}_01.jpg", "JPEG", "RGB"),
        ("cloth-mask/{}_00.jpg", "JPEG", "L"),
        ("image-parse-v3/{}_00.png", "PNG", "P"),
        ("image-parse-swap/{}_00.png", "PNG", "P"),
        ("image-parse-agnostic-v3.2/{}_00.png", "PNG", "P"),
        ("agnostic-v3.2/{}_00.jpg", "JPEG", "RGB"),
        ("agnostic-mask/{}_00_mask.png", "PNG", "L"),
        ("openpose_img/{}_00_rendered.png", "PNG", "RGB"),
        ("image-densepose/{}_00.jpg", "JPEG", "RGB"),
        ("person-mask/{}_00.png", "PNG", "L"),
        ("gt_cloth_warped_mask/{}_00.jpg", "JPEG", "L"),
    ],
)
def test_pictures_as_loaders_open_them(finished, path, kind, mode):
    for index, split in splits().items():
        with Image.open(finished / split / path.format(f"{index:06d}")) as image:
            assert (image.format, image.mode, image.size) == (kind, mode, SIZE[::-1])
            if mode == "P":
                assert image.getpalette()[:60] == labels.palette()[:20].reshape(-1).tolist()


def test_what_is_read_is_what_was_made(finished):
    generator = DrawnGenerator(CONFIG)
    for index, split in splits().items():
        made = layout.fields_of(generator.sample(index))
        read = layout.decode(finished / split, index, layout.FIELDS)
        assert set(made) - set(read) == {"keypoints"}  # which are in the record
        for name, array in read.items():
            assert array.shape == made[name].shape, name
            if name.startswith(("image", "cloth", "agnostic")) and not name.endswith(("mask", "swap")):
                assert np.abs(array.astype(int) - made[name]).mean() < 4  # JPEG
            elif "cloth_mask" in name:
                assert (array != made[name]).mean() < 0.01 and set(np.unique(array)) <= {0, 255}
            elif array.dtype == np.float32:
                np.testing.assert_allclose(array, made[name], rtol=1e-3, atol=4.1e-3)
            elif "image" not in name and "cloth" not in name:
                assert array.dtype == made[name].dtype
                np.testing.assert_array_equal(array, made[name], name)


def test_the_other_garment_is_found(finished):
    """image-swap/N shows cloth/M on the person of image/N."""
    colours = {"image": [200, 40, 60], "cloth": [200, 40, 60], "image_swap": [40, 90, 200], "cloth_swap": [40, 90, 200]}
    for index, split in splits().items():
        fields = layout.decode(finished / split, index, (*colours, "garment_mask", "garment_mask_swap"))
        for name, colour in colours.items():
            mask = fields["garment_mask" + "_swap" * name.endswith("_swap")]
            inside = fields[name][mask] if name.startswith("image") else fields[name][30:34, 20:28].reshape(-1, 3)
            assert np.abs(np.median(inside, 0) - colour).max() < 12, name


def test_key_points(finished):
    for index, split in splits().items():
        truth = DrawnGenerator(CONFIG).sample(index).keypoints
        text = (finished / split / f"openpose_json/{index:06d}_00_keypoints.json").read_text()
        points = from_openpose_json(text).keypoints
        inside = truth[:, 2] > 0
        np.testing.assert_allclose(points[inside], truth[inside], atol=1e-3)
        assert not points[~inside].any() and not inside.all()
        record = records.read_record(finished / split, index)
        np.testing.assert_allclose(record["keypoints"], truth, atol=1e-3)


def test_joints_that_loaders_build_on_keep_their_place_outside_the_picture():
    points = np.zeros((18, 3), np.float32)
    points[:, :2] = np.arange(36).reshape(18, 2) + 100
    points[[8, 11], 2] = 1  # hips are seen, the rest is above or below
    body = layout.body25(points, SIZE)
    for row, coco, confidence in ((2, 2, 0.05), (5, 5, 0.05), (9, 8, 1), (12, 11, 1)):
        np.testing.assert_allclose(body[row], [*points[coco, :2], confidence])
    np.testing.assert_allclose(body[8], [*points[[8, 11], :2].mean(0), 1])
    assert not body[[0, 1, 3, 4, 6, 7, *range(10, 12), *range(13, 25)]].any()
    points[[2, 5], 2], points[[8, 11], 2] = 1, 0  # the other way round
    np.testing.assert_allclose(layout.body25(points, SIZE)[[9, 12], 2], 0.05)
    points[[8, 11]] = 0  # nobody knows the hips: they are put where the shoulders suggest
    assert layout.body25(points, SIZE)[[9, 12], :2].all()


def test_densepose_picture_tells_every_part_from_every_other():
    picture = layout.densepose_picture(np.arange(25, dtype=np.uint8)[None])
    assert picture.shape == (1, 25, 3) and not picture[0, 0].any()
    assert len({tuple(colour) for colour in picture[0].tolist()}) == 25


def test_pairs_are_the_worn_and_the_other_garment(finished):
    for split in SPLITS:
        indices = [index for index, where in splits().items() if where == split]
        paired = [f"{index:06d}_00.jpg {index:06d}_00.jpg" for index in indices]
        unpaired = [f"{index:06d}_00.jpg {index:06d}_01.jpg" for index in indices]
        assert (finished / f"{split}_pairs.txt").read_text().splitlines() == paired
        assert (finished / f"{split}_pairs_unpaired.txt").read_text().splitlines() == unpaired


def test_dataset_json_tells_what_this_is(finished):
    facts = read_dataset(finished)
    assert facts["size"] == list(SIZE) and facts["seed"] == 0 and facts["held_out"] == 0.3
    assert facts["count"] == COUNT == sum(facts["splits"].values()) == sum(facts["categories"].values())
    assert facts["labels"] == list(labels.NAMES) and facts["keypoints"] == list(KEYPOINT_NAMES)
    assert facts["fingerprint"] == DrawnGenerator(CONFIG).fingerprint
    assert facts["versions"]["numpy"] == np.__version__


def test_manifest_holds_for_every_file(finished):
    lines = [line.split("  ") for line in (finished / "manifest.txt").read_text().splitlines()]
    files = tree(finished)
    del files["manifest.txt"]
    assert [path for _, path in lines] == sorted(files)
    assert all(hashlib.sha256(files[path]).hexdigest() == digest for digest, path in lines)


def test_report_and_preview(tmp_path):
    report = write(tmp_path / "set", 4, preview=tmp_path / "sheet.png")
    assert (report.done, report.skipped, sum(report.splits.values())) == (4, 0, 4)
    samples = [path for path in (tmp_path / "set").rglob("*") if path.is_file() and path.parent.parent.name in SPLITS]
    assert report.bytes == sum(path.stat().st_size for path in samples)
    assert set(report.stages) == {"drawing", "encode", "write"} and all(value > 0 for value in report.stages.values())
    assert report.seconds > 0 and report.peak_mib != 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        picture = np.asarray(sheet.convert("RGB"))
    assert sheet.width > 4 * 576 and (picture == (250, 250, 250)).all(-1).any()


# The same whatever happens --------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 3])
def test_same_bytes_with_any_number_of_workers(finished, tmp_path, workers):
    report = write(tmp_path / "set", workers=workers)
    assert (report.done, report.skipped) == (COUNT, 0)
    assert tree(tmp_path / "set") == tree(finished)


def test_same_bytes_when_continued(finished, tmp_path):
    out = tmp_path / "set"
    write(out, 3, workers=2)
    assert read_dataset(out)["count"] == 3
    before = stamps(out)
    report = write(out)
    assert (report.done, report.skipped) == (COUNT - 3, 3)
    assert tree(out) == tree(finished)
    kept = [path for path in before if path.count("/") == 2]
    assert all(stamps(out)[path] == before[path] for path in kept)


@pytest.mark.parametrize("count", [COUNT, 2])
def test_nothing_is_done_twice(copy, count):
    before = stamps(copy)
    report = write(copy, count)
    assert (report.done, report.skipped) == (0, count)
    assert stamps(copy) == before


@pytest.mark.parametrize("damage", ["missing", "cut short", "no record", "broken record", "no manifest"])
def test_what_is_not_whole_is_made_again(copy, finished, damage):
    split = splits()[2]
    record, file = copy / split / "params/000002_00.json", copy / split / "flow/000002_00.npz"
    if damage == "missing":
        file.unlink()
    elif damage == "cut short":
        file.write_bytes(file.read_bytes()[:100])
    elif damage == "no record":
        record.unlink()
    elif damage == "broken record":
        record.write_text(record.read_text()[:40])
    else:
        (copy / "manifest.txt").unlink()
    report = write(copy)
    assert report.done == (damage != "no manifest")
    assert tree(copy) == tree(finished)


def test_leftovers_of_a_killed_run_are_removed(copy, finished):
    (copy / ".writing/000009_00-123").mkdir(parents=True)
    (copy / ".writing/000009_00-123/0").write_bytes(b"half")
    shutil.copy(copy / splits()[0] / "image/000000_00.jpg", copy / "train/image/000009_00.jpg")
    shutil.copy(copy / splits()[0] / "cloth/000000_01.jpg", copy / "test/cloth/000009_01.jpg")
    (copy / splits()[1] / "params/000001_00.json").unlink()
    write(copy)
    assert tree(copy) == tree(finished)


SCRIPT = """
import sys
sys.path[:0] = {paths!r}
from drawn import SlowGenerator
from vto_utils.synth.samples import SynthConfig
from vto_utils.synth.storage import write_dataset
if __name__ == "__main__":
    try:
        write_dataset(SynthConfig(size={size}, held_out=0.3), sys.argv[1], {count}, workers=int(sys.argv[2]),
                      progress=False, generator=SlowGenerator)
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize(("stop", "workers"), [("SIGKILL", 2), ("SIGINT", 2), ("SIGINT", 0)])
def test_a_stopped_run_leaves_whole_samples_and_goes_on(finished, tmp_path, stop, workers):
    out, script = tmp_path / "set", tmp_path / "script.py"
    script.write_text(SCRIPT.format(paths=[str(Path(__file__).parent), str(ROOT)], size=SIZE, count=COUNT))
    run = subprocess.Popen(
        [sys.executable, script, out, str(workers)], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while len(list(out.glob("*/params/*.json"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    if stop == "SIGKILL":
        run.kill()
    else:
        os.killpg(run.pid, signal.SIGINT)  # as Ctrl-C in a terminal: to all processes
    _, complaints = run.communicate(timeout=60)
    assert (run.returncode, complaints) == (-signal.SIGKILL if stop == "SIGKILL" else 130, "")
    if stop == "SIGINT":
        records = list(out.glob("*/params/*.json"))
        assert 2 <= len(records) < COUNT and not (out / ".writing").exists() and not (out / "manifest.txt").exists()
        assert len(list(out.glob("*/*/*"))) == FILES_EACH * len(records)  # no file of a sample that is not whole
        assert sum(len((out / f"{split}_pairs.txt").read_text().splitlines()) for split in SPLITS) == len(records)
    else:
        while run_is_alive(run.pid) and time.monotonic() < deadline:  # workers end by themselves
            time.sleep(0.01)
        assert time.monotonic() < deadline
    report = write(out)
    assert report.skipped >= 2 and report.done >= 1
    assert tree(out) == tree(finished)


def run_is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


# Failures -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("generator", "sentence"),
    [
        (FailingGenerator, r"a fault with sample 3 \(ZeroDivisionError: a fault\); \d of 7 samples are finished"),
        (RefusingGenerator, "The body is missing: install the package again"),
        (DyingGenerator, r"process of sample 3 died \(exit code 9; .*fewer workers\); \d of 7 samples are finished"),
    ],
)
def test_a_failing_worker_stops_the_run(finished, tmp_path, generator, sentence, workers, capfd):
    if generator is DyingGenerator and not workers:
        pytest.skip("it would be this process")
    out = tmp_path / "set"
    with pytest.raises(InputError, match=sentence) as caught:
        write(out, generator=generator, workers=workers)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
    if generator is FailingGenerator:  # those who look for the fault find it
        assert 'raise ZeroDivisionError("a fault")' in "".join(traceback.format_exception(caught.value))
    if generator is not RefusingGenerator:
        kept = len(list(out.glob("*/params/*.json")))
        assert kept >= 2 and len(list(out.glob("*/*/*"))) == FILES_EACH * kept
        assert f"{kept} of 7" in str(caught.value) and read_dataset(out)["count"] == kept
    write(out)
    assert tree(out) == tree(finished)


def test_a_full_disk_keeps_what_is_finished(finished, tmp_path, monkeypatch):
    real, calls = os.replace, []

    def replace_until_full(source, target):
        calls.append(target)
        if len(calls) > 50:  # in the midst of the third sample
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        real(source, target)

    out = tmp_path / "set"
    monkeypatch.setattr(records, "os", SimpleNamespace(**{**vars(os), "replace": replace_until_full}))
    with pytest.raises(OutputError, match=r"no room left on the disk of .*make room and start again.*; 2 of 7 samples"):
        write(out)
    monkeypatch.undo()
    assert len(list(out.glob("*/params/*.json"))) == 2 and len(list(out.glob("*/*/*"))) == 2 * FILES_EACH
    write(out)
    assert tree(out) == tree(finished)


def test_too_little_room_is_told_before_the_work(copy, monkeypatch):
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda path: SimpleNamespace(free=200_000))
    for out in (copy.parent / "new", copy):
        before = tree(out)
        with pytest.raises(OutputError, match=r"not enough room .* 193 more samples need about .* GB and 0\.0 GB"):
            write(out, 193 + (COUNT if out == copy else 0))
        assert tree(out) == before
    assert write(copy, COUNT).skipped == COUNT  # nothing to write needs no room


# Bad input ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(256, 192), (512, 384), (1024, 768), SIZE])
def test_good_sizes(size):
    check_size(size)


@pytest.mark.parametrize("size", [(0, 0), (-256, -192), (192, 256), (512, 512), (500, 375), (32, 24), (100, 75)])
def test_bad_sizes(size, tmp_path):
    with pytest.raises(InputError, match=rf"The size {size[0]}x{size[1]} .*256x192, 512x384"):
        write(tmp_path / "set", config=replace(CONFIG, size=size))
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"count": 0}, "The count 0 cannot be used"),
        ({"count": -3}, "The count -3 cannot be used"),
        ({"count": 1_000_001}, "ask for 1 to 1000000"),
        ({"workers": -1}, "number of workers -1"),
        ({"config": replace(CONFIG, seed=-1)}, "The seed -1"),
        ({"config": replace(CONFIG, held_out=1.5)}, "held-out share 1.5"),
        ({"preview": "sheet.txt"}, r"sheet\.txt cannot be written"),
    ],
)
def test_bad_arguments(arguments, sentence, tmp_path):
    with pytest.raises(InputError, match=sentence):
        write(tmp_path / "set", **arguments)
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"seed": 5}, "seed 0, not 5"),
        ({"size": (128, 96)}, "size 64x48, not 128x96"),
        ({"held_out": 0.1}, r"held-out 0\.3, not 0\.1"),
        ({"category": "dresses", "seed": 1}, "seed 0, not 1, category all, not dresses"),
    ],
)
def test_other_data_are_not_mixed_in(copy, change, sentence):
    before = stamps(copy)
    with pytest.raises(OutputError, match=f"{copy} holds data made with .*{sentence}"):
        write(copy, 9, config=replace(CONFIG, **change))
    assert stamps(copy) == before


def test_a_folder_without_samples_is_free(finished, tmp_path):
    out = tmp_path / "set"
    with pytest.raises(OutputError):
        write(out, config=replace(CONFIG, seed=5), generator=AtOnceFailingGenerator)
    assert read_dataset(out)["seed"] == 5 and read_dataset(out)["count"] == 0
    write(out)
    assert tree(out) == tree(finished)


def test_another_version_is_not_mixed_in(copy):
    before = stamps(copy)
    with pytest.raises(OutputError, match=r"drawn 1, .*, not drawn 2: choose another folder"):
        write(copy, 9, generator=NewerGenerator)
    assert stamps(copy) == before


def test_folders_that_hold_something_else(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="file is a file"):
        write(tmp_path / "file")
    with pytest.raises(OutputError, match="holds other files: choose a new or empty folder"):
        write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(InputError, match="dataset.json is damaged"):
        write(tmp_path)
    (tmp_path / "dataset.json").write_text('{"format": "mine"}')
    with pytest.raises(InputError, match="says 'mine'"):
        write(tmp_path)
    with pytest.raises(InputError, match="is no synthetic data set.*python -m vto_utils synth"):
        read_dataset(tmp_path / "nowhere")


def test_a_folder_that_cannot_be_written(unprivileged):
    with pytest.raises(OutputError, match="no permission to write into"):
        write(unprivileged / "set")


@pytest.mark.skipif(os.name == "nt", reason="needs file locks")
def test_two_runs_at_once(copy):
    with records.locked(copy), pytest.raises(OutputError, match="Another run is writing into .*: wait for its end"):
        write(copy)
    assert write(copy).skipped == COUNT


def test_notes_are_told_once(tmp_path, capsys):
    report = write(tmp_path / "set", 4, generator=NotingGenerator, workers=2, progress=True)
    assert report.notes == NotingGenerator.notes and report.done == 4
    err = capsys.readouterr().err
    assert err.count("assets folder /nowhere is missing") == 1 and "4/4" in err and "sample/s" in err


def test_quiet_without_progress(tmp_path, capfd):
    write(tmp_path / "set", 2, generator=NotingGenerator, workers=1)
    assert capfd.readouterr() == ("", "")


def test_records_are_plain_json(finished):
    for index, split in splits().items():
        record = json.loads((finished / split / f"params/{index:06d}_00.json").read_text())
        assert (record["index"], record["split"]) == (index, split)
        assert record["params"]["colours"] == [[200, 40, 60], [40, 90, 200]]
        assert len(record["files"]) == FILES_EACH - 1


# The real thing -------------------------------------------------------------------------------------


def test_rendered_samples_are_the_same_in_every_process(tmp_path):
    config = SynthConfig(size=(128, 96), seed=2)
    here = tmp_path / "here"
    report = write_dataset(config, here, 2, workers=0, progress=False)
    write_dataset(config, tmp_path / "there", 2, workers=1, progress=False)
    one, other = tree(here), tree(tmp_path / "there")
    assert set(one) == set(other) and len(one) == 2 * FILES_EACH + 6
    assert [path for path in one if one[path] != other[path]] == []
    assert len(report.stages) > 4 and min(report.stages.values()) > 0
    (folder, index) = next((here / split, k) for split in SPLITS for k in records.finished_samples(here / split))
    fields = layout.decode(folder, index, ("image", "garment_mask", "valid", "parse"))
    assert fields["image"].std() > 10 and fields["garment_mask"].mean() > 0.02
    assert fields["valid"][~fields["garment_mask"]].mean() < 0.01 and len(np.unique(fields["parse"])) >= 4
