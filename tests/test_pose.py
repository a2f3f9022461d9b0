from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from samples import PEOPLE, mirrored_pose, person, photo

from vto_utils import pose as pose_module
from vto_utils.errors import InputError, NoPersonError
from vto_utils.pose import (
    KEYPOINT_NAMES,
    LIMBS,
    Pose,
    PoseEstimator,
    draw_pose,
    from_openpose_json,
    task_bundle,
    to_openpose_json,
)


@pytest.fixture(scope="module")
def estimator(model_files: dict[str, Path]) -> Iterator[PoseEstimator]:
    with PoseEstimator() as estimator:
        yield estimator


def some_pose() -> Pose:
    """Every number another one, so that no mix-up goes unseen."""
    numbers = np.arange(54, dtype=np.float32).reshape(18, 3)
    numbers[:, 2] = np.linspace(0.3, 0.99, 18)
    landmarks = np.arange(99, dtype=np.float32).reshape(33, 3)
    return Pose(numbers, landmarks, people=2)


def document(points: np.ndarray | list, **more: object) -> str:
    numbers = np.asarray(points, float).reshape(-1).tolist()
    return json.dumps({"people": [{"pose_keypoints_2d": numbers}], **more})


# The pose itself ------------------------------------------------------------------------------------------


def test_names_are_coco18_in_openpose_order() -> None:
    assert len(KEYPOINT_NAMES) == len(set(KEYPOINT_NAMES)) == 18
    assert KEYPOINT_NAMES[:2] == ("nose", "neck")
    assert KEYPOINT_NAMES[2:8] == tuple(f"{s}_{j}" for s in ("right", "left") for j in ("shoulder", "elbow", "wrist"))
    assert KEYPOINT_NAMES[8:14] == tuple(f"{s}_{j}" for s in ("right", "left") for j in ("hip", "knee", "ankle"))
    assert KEYPOINT_NAMES[14:] == ("right_eye", "left_eye", "right_ear", "left_ear")


def test_limbs_join_neighbours_on_one_side() -> None:
    assert len(set(LIMBS)) == len(LIMBS) == 17
    assert {i for limb in LIMBS for i in limb} == set(range(18))
    for a, b in LIMBS:
        sides = {KEYPOINT_NAMES[i].split("_")[0] for i in (a, b)} & {"left", "right"}
        assert len(sides) <= 1


def test_point_confidence_visible() -> None:
    pose = some_pose()
    assert pose.point("left_wrist").tolist() == [21, 22]
    assert pose.confidence("nose") == pytest.approx(0.3)
    assert pose.visible("nose") and pose.visible("nose", "left_ear", threshold=0.3)
    assert not pose.visible("nose", "left_ear", threshold=0.31)
    with pytest.raises(ValueError):
        pose.point("left_tail")


def test_wrong_shape() -> None:
    with pytest.raises(ValueError, match=r"\(18, 3\).*\(17, 3\)"):
        Pose(np.zeros((17, 3), np.float32))


def test_scaled() -> None:
    pose = some_pose()
    both = pose.scaled(2, 0.5)
    assert np.array_equal(both.keypoints, pose.keypoints * [2, 0.5, 1])
    assert np.array_equal(both.landmarks, pose.landmarks * [2, 0.5, 1])
    assert both.people == 2 and both.keypoints.dtype == np.float32
    assert np.array_equal(pose.scaled(3).keypoints, pose.keypoints * [3, 3, 1])
    assert Pose(pose.keypoints).scaled(2).landmarks is None


# OpenPose documents ---------------------------------------------------------------------------------------


def test_openpose_round_trip() -> None:
    pose = some_pose()
    pose.keypoints[:, :2] += 0.123
    back = from_openpose_json(to_openpose_json(pose))
    assert np.allclose(back.keypoints, pose.keypoints, atol=5.1e-4)
    assert back.landmarks is None and back.people == 1


def test_openpose_document_has_the_usual_keys() -> None:
    pose = some_pose()
    pose.keypoints[4, 2] = 0  # unknown
    found = json.loads(to_openpose_json(pose))
    assert found["version"] == 1.3 and len(found["people"]) == 1
    numbers = found["people"][0]["pose_keypoints_2d"]
    assert len(numbers) == 54 and numbers[12:15] == [0, 0, 0]
    assert numbers[15:17] == [15, 16]


def test_openpose_body25_puts_the_middle_of_the_hips_between() -> None:
    order = [
        "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
        "mid_hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
        "right_eye", "left_eye", "right_ear", "left_ear", *[f"foot_{k}" for k in range(6)],
    ]  # fmt: skip
    points = [[10 * k, 10 * k + 1, 0.5] for k in range(25)]
    pose = from_openpose_json(document(points))
    for name in KEYPOINT_NAMES:
        assert pose.point(name).tolist() == points[order.index(name)][:2]


def test_openpose_variants() -> None:
    pose = some_pose()
    text = to_openpose_json(pose)
    assert np.array_equal(from_openpose_json(text.encode()).keypoints, from_openpose_json(text).keypoints)
    two = json.loads(text)
    two["people"].append(json.loads(document(np.zeros((18, 3))))["people"][0])
    found = from_openpose_json(json.dumps(two))
    assert found.people == 2 and found.point("left_wrist").tolist() == [21, 22]
    two["people"][0]["pose_keypoints"] = two["people"][0].pop("pose_keypoints_2d")  # the name in older files
    assert np.array_equal(from_openpose_json(json.dumps(two)).keypoints, found.keypoints)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not an OpenPose file"),
        ("{", "not an OpenPose file"),
        (b"\xff\xfe\x00", "not an OpenPose file"),
        ("[]", "not an OpenPose file"),
        ('"people"', "not an OpenPose file"),
        ('{"version": 1.3}', "not an OpenPose file"),
        ('{"people": [{}]}', "not an OpenPose file"),
        ('{"people": [7]}', "not an OpenPose file"),
        ('{"people": 7}', "not an OpenPose file"),
        (document(np.zeros(53)), "not an OpenPose file"),
        ('{"people": [{"pose_keypoints_2d": ["a", "b", "c"]}]}', "not an OpenPose file"),
        ('{"people": []}', "no person"),
        (document(np.zeros((17, 3))), "17 key points; 18"),
        (document(np.zeros((137, 3))), "137 key points"),
    ],
)
def test_openpose_errors(text: str | bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        from_openpose_json(text)


# Estimating -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PEOPLE)
def test_estimate_sample_people(estimator: PoseEstimator, name: str) -> None:
    image = photo(name)
    pose = estimator.estimate(image)
    assert pose.keypoints.shape == (18, 3) and pose.keypoints.dtype == np.float32
    assert pose.landmarks.shape == (33, 3) and pose.people == 1
    assert pose.keypoints[:, 2].min() >= 0 and pose.keypoints[:, 2].max() <= 1
    # Seen from the front the person's left is on the right of the picture.
    for joint in ("shoulder", "hip", "eye", "ear"):
        assert pose.point(f"left_{joint}")[0] > pose.point(f"right_{joint}")[0]
    assert np.allclose(pose.point("neck"), (pose.point("left_shoulder") + pose.point("right_shoulder")) / 2, atol=1e-3)
    order = [pose.point(n)[1] for n in ("nose", "neck", "left_hip", "left_knee")]
    assert order == sorted(order)
    known = pose.keypoints[:, 2] > 0
    assert pose.visible("nose", "left_shoulder", "right_shoulder", "left_hip", "right_hip")
    inside = (pose.keypoints[:, :2] >= 0).all(1) & (pose.keypoints[:, :2] < image.size).all(1)
    assert np.array_equal(known, inside)


def test_points_outside_the_photo_are_unknown(estimator: PoseEstimator) -> None:
    assert estimator.estimate(photo("person_3")).visible("left_ankle", "right_ankle")
    cut = estimator.estimate(photo("person_2"))  # the photo ends at the thighs
    assert cut.confidence("left_ankle") == cut.confidence("right_knee") == 0
    assert not cut.visible("left_knee")
    assert json.loads(to_openpose_json(cut))["people"][0]["pose_keypoints_2d"][-15:-12] == [0, 0, 0]


def test_arrays_sizes_and_repetition(estimator: PoseEstimator) -> None:
    image = photo("person_1")
    pose = estimator.estimate(image)
    assert np.array_equal(estimator.estimate(np.asarray(image)).keypoints, pose.keypoints)
    large = estimator.estimate(image.resize((1536, 2048), Image.Resampling.BICUBIC))  # looked at smaller
    assert np.abs(large.keypoints[:, :2] / 4 - pose.keypoints[:, :2]).max() < 0.02 * 512


def test_margin_moves_the_points_with_the_person(estimator: PoseEstimator) -> None:
    image = photo("person_3")
    wide = Image.new("RGB", (700, 600), image.getpixel((2, 2)))
    wide.paste(image, (200, 40))
    moved, pose = estimator.estimate(wide).keypoints, estimator.estimate(image).keypoints
    assert np.abs(moved[:, :2] - pose[:, :2] - [200, 40]).max() < 0.02 * 512


def test_flipped_photo_swaps_left_and_right(estimator: PoseEstimator) -> None:
    image = photo("person_2")
    flipped = estimator.estimate(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    expected = mirrored_pose(estimator.estimate(image), image.width)
    upper = [KEYPOINT_NAMES.index(f"{s}_{j}") for s in ("left", "right") for j in ("shoulder", "elbow", "wrist", "hip")]
    difference = np.linalg.norm(flipped.keypoints[upper, :2] - expected.keypoints[upper, :2], axis=1)
    assert difference.max() < 0.05 * 512


def test_two_people_are_counted(estimator: PoseEstimator) -> None:
    both = Image.new("RGB", (768, 512))
    both.paste(photo("person_1"), (0, 0))
    both.paste(photo("person_3"), (384, 0))
    pose = estimator.estimate(both)
    assert pose.people == 2
    assert pose.point("nose")[0] < 384  # person_1 is larger


@pytest.mark.parametrize(
    "picture",
    [
        np.full((256, 192, 3), 255, np.uint8),
        np.zeros((90, 300, 3), np.uint8),
        np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8),
    ],
    ids=["white", "black", "noise"],
)
def test_nobody(estimator: PoseEstimator, picture: np.ndarray) -> None:
    with pytest.raises(NoPersonError, match="No person was found"):
        estimator.estimate(picture)


def test_close_and_reuse(model_files: dict[str, Path]) -> None:
    image = photo("person_1")
    estimator = PoseEstimator()
    estimator.close()  # nothing is open yet
    first = estimator.estimate(image)
    estimator.close()
    assert not estimator._landmarkers
    estimator.close()
    with estimator as again:
        assert again is estimator
        assert np.array_equal(estimator.estimate(image).keypoints, first.keypoints)
    assert not estimator._landmarkers


def test_quiet(model_files: dict[str, Path], capfd: pytest.CaptureFixture[str]) -> None:
    with PoseEstimator() as estimator:
        estimator.estimate(photo("person_1"))
        with pytest.raises(NoPersonError):
            estimator.estimate(np.zeros((64, 64, 3), np.uint8))
    assert capfd.readouterr() == ("", "")


def test_what_went_wrong_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), pose_module._quiet_native_log():
        os.write(2, b"native words\n")
        raise RuntimeError
    assert "native words" in capfd.readouterr().err
    with pose_module._quiet_native_log():
        os.write(2, b"chatter\n")
    assert capfd.readouterr().err == ""


def test_an_open_estimator_lets_python_end_quietly(model_files: dict[str, Path]) -> None:
    code = (
        "from samples import photo\n"
        "from vto_utils.pose import PoseEstimator\n"
        "estimator = PoseEstimator()\n"
        "print(estimator.estimate(photo('person_1')).people)\n"
    )
    here = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(here.parent), str(here)])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


# The bundle -----------------------------------------------------------------------------------------------


@pytest.fixture
def own_cache(model_files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("pose-detector", "pose-landmarks"):
        shutil.copy(model_files[name], tmp_path)
    monkeypatch.setenv("VTO_CACHE", str(tmp_path))
    return tmp_path


def test_bundle_holds_both_models(own_cache: Path) -> None:
    before = sorted(own_cache.iterdir())
    bundle = task_bundle()
    assert sorted([*before, bundle]) == sorted(own_cache.iterdir())
    with zipfile.ZipFile(bundle) as archive:
        assert archive.namelist() == ["pose_detector.tflite", "pose_landmarks_detector.tflite"]
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.read("pose_detector.tflite") == (own_cache / "pose_detection.tflite").read_bytes()
        assert archive.read("pose_landmarks_detector.tflite")[4:8] == b"TFL3"
    with PoseEstimator() as estimator:
        assert estimator.estimate(photo("person_1")).people == 1


def test_bundle_is_made_once_and_after_new_models(own_cache: Path) -> None:
    bundle = task_bundle()
    size = bundle.stat().st_size
    bundle.write_bytes(b"kept")
    assert task_bundle().read_bytes() == b"kept"
    os.utime(bundle, (1, 1))  # older than the models
    assert task_bundle().stat().st_size == size and zipfile.is_zipfile(bundle)


def test_bundle_appears_whole_or_not_at_all(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(model: bytes) -> bytes:
        raise KeyboardInterrupt

    before = sorted(own_cache.iterdir())
    monkeypatch.setattr(pose_module, "_normalised_landmark_model", interrupted)
    with pytest.raises(KeyboardInterrupt):
        task_bundle()
    assert sorted(own_cache.iterdir()) == before


# Drawing --------------------------------------------------------------------------------------------------


def test_draw_pose() -> None:
    pose = person("person_1").pose
    drawn = draw_pose(pose, (512, 384))
    assert drawn.size == (384, 512) and drawn.mode == "RGB"
    array = np.asarray(drawn)
    for name in ("nose", "left_wrist", "right_shoulder"):
        x, y = np.round(pose.point(name)).astype(int)
        assert array[y, x].tolist() == [255, 255, 255]
    middle = (pose.point("right_shoulder") + pose.point("right_elbow")) / 2
    assert array[round(middle[1]), round(middle[0])].any()
    assert not array[:20].any()  # nothing above the head


def test_draw_pose_leaves_unknown_points_out_and_the_background_as_it_was() -> None:
    background = photo("person_1")
    before = np.array(background)
    keypoints = np.zeros((18, 3), np.float32)
    keypoints[:, :2] = 100
    drawn = draw_pose(Pose(keypoints), (512, 384), background)
    assert np.array_equal(np.asarray(drawn), before)
    keypoints[0] = (50, 60, 0.9)
    drawn = np.asarray(draw_pose(Pose(keypoints), (512, 384), background))
    assert drawn[60, 50].tolist() == [255, 255, 255]
    changed = np.argwhere((drawn != before).any(2))
    assert np.abs(changed - [60, 50]).max() < 10
    assert np.array_equal(np.asarray(background), before)
