"""Body key points: MediaPipe's landmarker, told in COCO-18 (OpenPose order).

The two model files are the ones MediaPipe publishes (BlazePose, Bazarevsky et al. 2020). They are bundled
into one ``.task`` file on this machine, so no hub has to be reached.

MediaPipe reports its use to Google (times and system data, no pictures) when a landmarker is closed and once a
minute while one is open, and has no switch for it. This module keeps that in: see ``_no_reports``.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
import weakref
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from . import assets
from .errors import InputError, NoPersonError
from .files import atomic_path
from .images import load_image

#: COCO-18 names in OpenPose order; left and right are the person's own.
KEYPOINT_NAMES = (
    "nose", "neck",
    "right_shoulder", "right_elbow", "right_wrist",
    "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle",
    "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
)  # fmt: skip

#: For each COCO-18 point the BlazePose landmark it is taken from; the neck (None) is between the shoulders.
_BLAZEPOSE_INDEX = (0, None, 12, 14, 16, 11, 13, 15, 24, 26, 28, 23, 25, 27, 5, 2, 8, 7)

#: Limbs drawn in OpenPose pictures, as pairs of COCO-18 indices.
LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13),
    (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip

#: (confidence threshold, padding around the photo as a share of its longer side), tried in this order.
#: At 0.5 without padding the landmarker misses about one real photo in twenty; the later tries find them.
_ATTEMPTS = ((0.5, 0.0), (0.5, 0.25), (0.2, 0.0), (0.2, 0.25), (0.1, 0.5))


@dataclass(frozen=True)
class Pose:
    """One person's key points.

    Attributes:
        keypoints: (18, 3) float32: x, y in pixels of the photo (origin top left), confidence in [0, 1].
            A confidence of 0 means "not known".
        landmarks: (33, 3) float32, the landmarker's own BlazePose points in the same units, which also
            hold mouth, hands and feet; ``None`` when the pose was read from a file.
        people: how many people were seen in the photo.
    """

    keypoints: np.ndarray
    landmarks: np.ndarray | None = None
    people: int = 1

    def __post_init__(self) -> None:
        if self.keypoints.shape != (18, 3):
            raise ValueError(f"keypoints must have shape (18, 3), not {self.keypoints.shape}")

    def point(self, name: str) -> np.ndarray:
        """Position (x, y) in pixels of a key point named as in :data:`KEYPOINT_NAMES`."""
        return self.keypoints[KEYPOINT_NAMES.index(name), :2].astype(np.float64)

    def confidence(self, name: str) -> float:
        """Confidence in [0, 1] of a key point named as in :data:`KEYPOINT_NAMES`."""
        return float(self.keypoints[KEYPOINT_NAMES.index(name), 2])

    def visible(self, *names: str, threshold: float = 0.3) -> bool:
        """Whether all the named key points are known with at least this confidence."""
        return all(self.confidence(name) >= threshold for name in names)

    def scaled(self, x: float, y: float | None = None) -> Pose:
        """The same pose in a photo that was resized by the factors ``x`` and ``y``."""
        factor = np.array([x, x if y is None else y, 1.0], np.float32)
        landmarks = None if self.landmarks is None else self.landmarks * factor
        return Pose(self.keypoints * factor, landmarks, self.people)


def _normalised_landmark_model(model: bytes) -> bytes:
    """Add the input normalisation (mean 0, std 1, RGB) that the Tasks API asks a landmark model for."""
    import flatbuffers
    from mediapipe.tasks.metadata import metadata_schema_py_generated as metadata_schema
    from mediapipe.tasks.metadata import schema_py_generated as schema

    options = metadata_schema.NormalizationOptionsT()
    options.mean, options.std = [0.0], [1.0]
    unit = metadata_schema.ProcessUnitT()
    unit.optionsType = metadata_schema.ProcessUnitOptions.NormalizationOptions
    unit.options = options
    properties = metadata_schema.ImagePropertiesT()
    properties.colorSpace = metadata_schema.ColorSpaceType.RGB
    content = metadata_schema.ContentT()
    content.contentPropertiesType = metadata_schema.ContentProperties.ImageProperties
    content.contentProperties = properties
    tensor = metadata_schema.TensorMetadataT()
    tensor.name, tensor.content, tensor.processUnits = "image", content, [unit]
    subgraph = metadata_schema.SubGraphMetadataT()
    subgraph.inputTensorMetadata = [tensor]
    description = metadata_schema.ModelMetadataT()
    description.name, description.subgraphMetadata = "pose_landmarks", [subgraph]
    description.minParserVersion = "1.5.0"  # the first parser that knows these options
    builder = flatbuffers.Builder(0)
    builder.Finish(description.Pack(builder), b"M001")

    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(bytes(builder.Output()), np.uint8)
    tree.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = "TFLITE_METADATA", len(tree.buffers) - 1
    tree.metadata = [*(tree.metadata or []), entry]
    builder = flatbuffers.Builder(0)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def task_bundle() -> Path:
    """Path of the ``.task`` file that holds both pose models; it is put together at the first call."""
    detector = assets.fetch("pose-detector")
    landmarks = assets.fetch("pose-landmarks")
    bundle = landmarks.with_name("pose_landmarker_full.task")
    newest = max(detector.stat().st_mtime, landmarks.stat().st_mtime)
    if not bundle.exists() or bundle.stat().st_mtime < newest:
        with atomic_path(bundle) as path, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("pose_detector.tflite", detector.read_bytes())
            archive.writestr("pose_landmarks_detector.tflite", _normalised_landmark_model(landmarks.read_bytes()))
    return bundle


_NATIVE = threading.RLock()  # file descriptor 2 and the environment belong to the whole process


@contextlib.contextmanager
def _quiet_native_log() -> Iterator[None]:
    """Keep the native library's start-up chatter off the terminal; show it only when something fails."""
    with _NATIVE, tempfile.TemporaryFile() as log:
        try:
            saved = os.dup(2)
        except OSError:  # no stderr at all, as in some notebook servers
            yield
            return
        try:
            os.dup2(log.fileno(), 2)
            yield
        except BaseException:
            log.seek(0)
            os.write(saved, log.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


_OPEN_AT_MOST = 30.0  # seconds; MediaPipe's first report of an open landmarker is due after 60
_NOWHERE = "http://127.0.0.1:9"  # the discard port of this machine, where nobody listens
_PROXIES = {"https_proxy": _NOWHERE, "all_proxy": _NOWHERE, "no_proxy": ""}


@contextlib.contextmanager
def _no_reports() -> Iterator[None]:
    """Let MediaPipe's uploader fail at once: it asks the environment for a proxy, and finds one that is dead."""
    dead = _PROXIES | {name.upper(): value for name, value in _PROXIES.items()}
    with _NATIVE:
        saved = {name: os.environ.get(name) for name in dead}
        os.environ.update(dead)
        try:
            yield
        finally:
            for name, value in saved.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _close_all(landmarkers: dict[float, object]) -> None:
    with _NATIVE:
        while landmarkers:
            with _quiet_native_log(), _no_reports():  # closing sends the report and waits for it
                landmarkers.popitem()[1].close()


class PoseEstimator:
    """Finds the body key points of the most prominent person. Load once, call many times.

    Use it as a context manager, or call :meth:`close` when done; a closed estimator opens again by itself.
    """

    def __init__(self) -> None:
        self._landmarkers: dict[float, object] = {}
        # The native models raise when they are freed while Python ends: close them before it does.
        weakref.finalize(self, _close_all, self._landmarkers)

    def __enter__(self) -> PoseEstimator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the native models now; otherwise they are freed with the object or when Python ends."""
        _close_all(self._landmarkers)

    def _landmarker(self, confidence: float):
        if confidence not in self._landmarkers:
            from mediapipe.tasks import python as tasks
            from mediapipe.tasks.python import vision

            options = vision.PoseLandmarkerOptions(
                base_options=tasks.BaseOptions(model_asset_path=str(task_bundle())),
                num_poses=4,
                min_pose_detection_confidence=confidence,
                min_pose_presence_confidence=confidence,
            )
            if not self._landmarkers:
                timer = threading.Timer(_OPEN_AT_MOST, _close_all, [self._landmarkers])
                timer.daemon = True
                timer.start()
            with _quiet_native_log():
                self._landmarkers[confidence] = vision.PoseLandmarker.create_from_options(options)
        return self._landmarkers[confidence]

    def _detect(self, image: np.ndarray, confidence: float, padding: float) -> np.ndarray:
        """All people as (n, 33, 3) float32 in pixels of ``image``; third number is the visibility."""
        import mediapipe as mp

        height, width = image.shape[:2]
        # The models take a square; letterboxing here keeps a body from being squeezed.
        side = round(max(height, width) * (1 + 2 * padding))
        left, top = (side - width) // 2, (side - height) // 2
        square = np.full((side, side, 3), 255, np.uint8)
        square[top : top + height, left : left + width] = image
        picture = mp.Image(image_format=mp.ImageFormat.SRGB, data=square)
        with _NATIVE:  # so that the timer does not close it in between
            landmarker = self._landmarker(confidence)
            with _quiet_native_log():
                found = landmarker.detect(picture).pose_landmarks
        people = [[(p.x * side - left, p.y * side - top, p.visibility) for p in person] for person in found]
        return np.asarray(people, np.float32).reshape(-1, 33, 3)

    def estimate(self, image: Image.Image | np.ndarray) -> Pose:
        """Key points of the largest and most central person.

        Args:
            image: PIL image or uint8 HWC RGB array of any size.

        Raises:
            NoPersonError: nobody was found, also not at lower confidence and with padding around.
        """
        array = np.asarray(load_image(image))
        # The landmarker looks at 256 pixels; a 4000 pixel photo only makes the way there slower.
        scale = min(1.0, 1024 / max(array.shape[:2]))
        small = array if scale == 1 else cv2.resize(array, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for confidence, padding in _ATTEMPTS:
            people = self._detect(small, confidence, padding)
            people = people[[_is_plausible(person, small.shape[:2]) for person in people]] if len(people) else people
            if len(people):
                people = _distinct(people)
                best = max(people, key=lambda person: _prominence(person, small.shape[:2]))
                landmarks = best / np.array([scale, scale, 1], np.float32)
                return Pose(_coco18(landmarks, array.shape[:2]), landmarks, len(people))
        raise NoPersonError(
            "No person was found; use a photo that shows one person from the head to the hips, upright and well lit."
        )


def _is_plausible(person: np.ndarray, size: tuple[int, int]) -> bool:
    """Shoulders seen inside the picture and a body of some size: weeds out what low confidence lets in."""
    height, width = size
    shoulders = person[[11, 12]]
    inside = (shoulders[:, :2] > -0.05 * width).all() and (shoulders[:, 0] < 1.05 * width).all()
    extent = np.linalg.norm(np.ptp(person[:25, :2], axis=0))
    return bool(inside and shoulders[:, 2].min() > 0.3 and extent > 0.12 * np.hypot(height, width))


def _distinct(people: np.ndarray) -> np.ndarray:
    """Drop detections that are the same person seen twice (noses and shoulders nearly coincide)."""
    kept: list[np.ndarray] = []
    for person in people:
        size = np.linalg.norm(np.ptp(person[:25, :2], axis=0))
        if all(np.linalg.norm(person[[0, 11, 12], :2] - k[[0, 11, 12], :2], axis=1).mean() > 0.1 * size for k in kept):
            kept.append(person)
    return np.stack(kept)


def _prominence(person: np.ndarray, size: tuple[int, int]) -> float:
    """Size of the body times its nearness to the middle of the picture."""
    height, width = size
    extent = np.linalg.norm(np.ptp(person[:25, :2], axis=0)) / np.hypot(height, width)
    offset = abs(person[[11, 12], 0].mean() - width / 2) / width
    return float(extent * (1 - offset))


def _coco18(landmarks: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(18, 3) COCO-18 points from (33, 3) BlazePose ones; points outside the photo get confidence 0."""
    height, width = size
    points = np.zeros((18, 3), np.float32)
    for index, source in enumerate(_BLAZEPOSE_INDEX):
        points[index] = landmarks[source] if source is not None else landmarks[[11, 12]].mean(0)
    outside = (points[:, 0] < 0) | (points[:, 1] < 0) | (points[:, 0] >= width) | (points[:, 1] >= height)
    points[outside, 2] = 0
    return points


def to_openpose_json(pose: Pose) -> str:
    """The pose as an OpenPose 1.3 document with the 18 COCO points; unknown points are written as 0, 0, 0."""
    points = np.where(pose.keypoints[:, 2:] > 0, pose.keypoints, 0).astype(np.float64).round(3)
    person = {
        "person_id": [-1],
        "pose_keypoints_2d": points.reshape(-1).tolist(),
        "face_keypoints_2d": [],
        "hand_left_keypoints_2d": [],
        "hand_right_keypoints_2d": [],
    }
    return json.dumps({"version": 1.3, "people": [person]})


def from_openpose_json(text: str | bytes) -> Pose:
    """Read a pose from an OpenPose document with 18 (COCO) or 25 (BODY_25) points.

    Raises:
        InputError: the text is not such a document, or it holds no person.
    """
    try:
        people = json.loads(text)["people"]
        if not people:
            raise InputError("The OpenPose file holds no person: no pose was found when it was written.")
        person = people[0]
        numbers: Sequence[float] = person.get("pose_keypoints_2d") or person["pose_keypoints"]
        points = np.asarray(numbers, np.float32).reshape(-1, 3)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            "This is not an OpenPose file: expected JSON with people[0].pose_keypoints_2d as x, y, confidence."
        ) from error
    if len(points) == 25:  # BODY_25 puts the middle of the hips at 8, before the right hip
        points = points[[0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]]
    if len(points) != 18:
        raise InputError(f"The OpenPose file has {len(points)} key points; 18 (COCO) or 25 (BODY_25) are understood.")
    return Pose(points, people=len(people))


def draw_pose(pose: Pose, size: tuple[int, int], background: Image.Image | None = None) -> Image.Image:
    """Picture of the skeleton as OpenPose draws it, for looking and for loaders that want it.

    Args:
        pose: the key points.
        size: (height, width) of the picture in pixels.
        background: drawn under the skeleton; black when not given.
    """
    height, width = size
    canvas = np.zeros((height, width, 3), np.uint8) if background is None else np.array(background.convert("RGB"))
    thickness = max(2, round(max(size) / 150))
    for number, (a, b) in enumerate(LIMBS):
        if min(pose.keypoints[a, 2], pose.keypoints[b, 2]) > 0.1:
            colour = cv2.cvtColor(np.uint8([[[180 * number // len(LIMBS), 200, 235]]]), cv2.COLOR_HSV2RGB)[0, 0]
            ends = [tuple(int(round(v)) for v in pose.keypoints[i, :2]) for i in (a, b)]
            cv2.line(canvas, *ends, colour.tolist(), thickness, cv2.LINE_AA)
    for x, y, confidence in pose.keypoints:
        if confidence > 0.1:
            cv2.circle(canvas, (int(round(x)), int(round(y))), thickness + 1, (255, 255, 255), -1, cv2.LINE_AA)
    return Image.fromarray(canvas)
