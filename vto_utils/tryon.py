"""Two photos in, one try-on out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from . import agnostic, fitting
from .background import BackgroundRemover
from .dressing import Dressed, Dresser, NetworkDresser, Wearer, dress_by_rules
from .errors import InputError, NoPersonError
from .garment import CATEGORIES, Garment, GarmentReader
from .images import fit, load_image
from .labels import to_palette_image
from .parsing import PersonParser
from .pose import Pose, PoseEstimator, draw_pose
from .segmentation import PersonSegmenter, Segmentation

WARPS = ("auto", "geometric", "learned")
_NOBODY = (
    "no upright person can be told from the background; use a photo of one person from the head to the "
    "hips, standing or sitting, in good light and before a calm background."
)


@dataclass(frozen=True)
class Person:
    """A person's photo and what was found in it.

    Attributes:
        image: RGB photo.
        segmentation: the person's mask (uint8 HW), how it was found, and how many people were seen.
        pose: key points in pixels of the photo.
        parsing: uint8 HW CIHP-20 ids.
        notes: sentences a user should see.
        name: what to call the photo in messages.
    """

    image: Image.Image
    segmentation: Segmentation
    pose: Pose
    parsing: np.ndarray
    notes: tuple[str, ...] = ()
    name: str = "The person photo"

    @property
    def mask(self) -> np.ndarray:
        """uint8 HW person mask, 255 = person."""
        return self.segmentation.mask


@dataclass(frozen=True)
class TryOnResult:
    """What a try-on gives.

    Attributes:
        image: the result, RGB, the size of the person photo unless another was asked for.
        category: of the garment, as used.
        person, garment: what was found in the two photos.
        agnostic_mask: uint8 HW in {0, 255} at the size of ``image``; outside it ``image`` equals the photo.
        garment_mask: uint8 HW in [0, 255], where the garment is visible in the result.
        stages: name -> picture of each step, in order.
        notes: sentences a user should see: what was guessed, what could not be done.
    """

    image: Image.Image
    category: str
    person: Person
    garment: Garment
    agnostic_mask: np.ndarray
    garment_mask: np.ndarray
    stages: dict[str, Image.Image]
    notes: tuple[str, ...]


class TryOn:
    """Puts garments on people. Load once, call many times.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``, for the networks that can use it.
        warp: ``geometric`` needs no weights; ``learned`` uses trained networks; ``auto`` takes the
            learned one where trained weights are at hand and says which was taken.
        seed: of the grain that is added to filled areas; the same seed gives the same picture.
        segmentation: backend of :class:`vto_utils.segmentation.PersonSegmenter`.
        weights: folder of a checkpoint (:mod:`vto_utils.checkpoints`) for the learned warp; the one that comes
            with the package when not given.
        refine: steps of fitting the learned warp to each pair (:mod:`vto_utils.refinement`).

    Raises:
        InputError: a name is unknown, or the checkpoint is missing or damaged.

    Example:
        >>> tryon = TryOn()
        >>> result = tryon("person.jpg", "shirt.jpg")
        >>> result.image.save("result.png")
    """

    def __init__(
        self,
        device: str = "auto",
        warp: str = "auto",
        seed: int = 0,
        segmentation: str = "auto",
        weights: str | os.PathLike | None = None,
        refine: int = 0,
    ) -> None:
        if warp not in WARPS:
            raise InputError(f"Unknown warp '{warp}': use one of {', '.join(WARPS)}.")
        self.seed = seed
        self.warp, self.warp_reason, self._dress = _dresser(warp, weights, device, refine)
        self.remover = BackgroundRemover()
        self.segmenter = (
            PersonSegmenter(segmentation, device) if segmentation != "auto" else self._auto_segmenter(device)
        )
        self.poses = PoseEstimator()
        self.parser = PersonParser(device=device)
        self.reader = GarmentReader(self.remover, self.poses)

    def _auto_segmenter(self, device: str) -> PersonSegmenter:
        segmenter = PersonSegmenter("auto", device)
        if segmenter.backend == "rembg":  # one session serves both photos
            segmenter.model = self.remover
        return segmenter

    def __enter__(self) -> TryOn:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the native pose models; the object can be used again afterwards."""
        self.poses.close()

    def prepare_person(self, image: Any, name: str | None = None) -> Person:
        """Find the person in a photo.

        Args:
            image: a path, bytes, PIL image or array (:func:`vto_utils.images.load_image`).
            name: what to call the photo in messages; the path where there is one.

        Raises:
            InputError: the photo cannot be read.
            NoPersonError: nobody, or no torso, is visible.
        """
        photo = load_image(image)
        name = name or _name(image, "The person photo")
        try:
            segmentation = self.segmenter.segment(photo)
            x0, y0, x1, y1 = _with_margin(segmentation.box, photo.size, 0.08)
            alone = photo.crop((x0, y0, x1, y1)) if segmentation.people > 1 else photo
            pose = self.poses.estimate(alone)
            if alone is not photo:
                pose = _shifted(pose, x0, y0, photo.size)
            _check_torso(pose, segmentation.mask)
            parsing = self.parser.parse(photo, segmentation.mask, pose)
        except NoPersonError as error:
            raise NoPersonError(f"{name}: {error}") from error
        notes = []
        people = max(segmentation.people, pose.people)
        if people > 1:
            where = (segmentation.box[0] + segmentation.box[2]) / 2 / photo.width
            place = "on the left" if where < 0.4 else "on the right" if where > 0.6 else "in the middle"
            notes.append(f"{name} shows {people} people; the one {place}, the largest and most central, is dressed.")
        return Person(photo, segmentation, pose, parsing, tuple(notes), name)

    def prepare_garment(self, image: Any, category: str = "auto") -> Garment:
        """Find the garment in a photo.

        Args:
            image: a path, bytes, PIL image or array.
            category: ``upper_body``, ``lower_body``, ``dresses``, or ``auto`` to go by its outline.

        Raises:
            InputError: the photo cannot be read, shows no garment, or shows a person.
        """
        return self.reader.read(load_image(image), category, _name(image, "The garment photo"))

    def __call__(
        self,
        person: Any,
        cloth: Any,
        category: str = "auto",
        size: tuple[int, int] | None = None,
        stages: bool = False,
    ) -> TryOnResult:
        """Put one garment on one person.

        Args:
            person: photo (path, bytes, PIL image, array) or what :meth:`prepare_person` gave.
            cloth: photo, or what :meth:`prepare_garment` gave.
            category: as in :meth:`prepare_garment`.
            size: (height, width) of the result; the person photo's own when not given. The photo is fitted
                into it without distortion, on white.
            stages: also make the pictures of all steps.

        Raises:
            InputError, NoPersonError: as the two ``prepare`` methods.
        """
        if size is not None and min(size) < 64:
            raise InputError(f"The size {size[0]}x{size[1]} is too small: use at least 64 pixels on each side.")
        if category not in (*CATEGORIES, "auto"):
            raise InputError(f"Unknown category '{category}': use one of {', '.join(CATEGORIES)} or auto.")
        if not isinstance(person, Person):
            name = _name(person, "The person photo")
            if size is not None:
                person = fit(load_image(person), size)
            person = self.prepare_person(person, name)
        elif size is not None and person.image.size != size[::-1]:
            person = self.prepare_person(fit(person.image, size), person.name)
        garment = cloth if isinstance(cloth, Garment) else self.prepare_garment(cloth, category)
        if isinstance(cloth, Garment) and category not in ("auto", cloth.category):
            garment = self.prepare_garment(cloth.image, category)
        return self._paint(person, garment, stages)

    def outfit(
        self, person: Any, cloths: Sequence[Any], size: tuple[int, int] | None = None, stages: bool = False
    ) -> list[TryOnResult]:
        """Put several garments on one person, trousers or a skirt before the top that hangs over them.

        Args:
            person: as for a call.
            cloths: photos or what :meth:`prepare_garment` gave; at most one for the upper and one for the lower body.
            size, stages: as for a call.

        Returns:
            One result for each garment in the order in which they were put on. The last one's picture wears all, and
            its agnostic mask tells where any of them may have changed the photo.

        Raises:
            InputError: no garment; two for the same part of the body, which a dress covers wholly.
            NoPersonError: as for a call.
        """
        garments = [cloth if isinstance(cloth, Garment) else self.prepare_garment(cloth) for cloth in cloths]
        names = [garment.category for garment in garments]
        if not garments:
            raise InputError("An outfit needs at least one garment: give a photo of one.")
        if len(set(names)) < len(names) or (len(names) > 1 and "dresses" in names):
            raise InputError(
                f"These garments cannot be worn together ({', '.join(names)}): "
                "give one for the upper and one for the lower body, or a dress alone."
            )
        results: list[TryOnResult] = []
        for garment in sorted(garments, key=lambda one: one.category == "upper_body"):
            worn = person if not results else self.prepare_person(results[-1].image, results[0].person.name)
            result = self(worn, garment, size=size, stages=stages)
            if results:
                mask = np.maximum(results[-1].agnostic_mask, result.agnostic_mask)
                result = replace(result, agnostic_mask=mask)
            results.append(result)
        return results

    def _paint(self, person: Person, garment: Garment, stages: bool) -> TryOnResult:
        if garment.category == "lower_body" and not person.pose.visible("right_hip", "left_hip"):
            raise NoPersonError(
                f"{person.name}: the hips are not visible, so trousers or a skirt cannot be put on; "
                "use a photo that shows the person from the head to the knees or below."
            )
        wearer = Wearer(np.asarray(person.image), person.mask, person.pose, person.parsing)
        dressed = self._dress(wearer, garment, np.random.default_rng(self.seed))
        image = Image.fromarray(dressed.image)
        pictures = _stages(person, garment, dressed, image) if stages else {}
        notes = (*person.notes, *garment.notes, self.warp_reason)
        return TryOnResult(
            image, garment.category, person, garment, dressed.allowed.astype(np.uint8) * 255,
            np.round(dressed.cover * 255).astype(np.uint8), pictures, notes,
        )  # fmt: skip


def _dresser(warp: str, weights: str | os.PathLike | None, device: str, refine: int) -> tuple[str, str, Dresser]:
    """The warp that is taken, why, and what carries it out."""
    folder = fitting.WEIGHTS if weights is None else Path(weights).expanduser()
    if warp == "geometric":
        return "geometric", "The geometric warp was asked for.", dress_by_rules
    if warp == "auto" and weights is None and not folder.is_dir():
        reason = "The geometric warp is used: there are no trained weights for the networks yet."
        return "geometric", reason, dress_by_rules
    if weights is None and not folder.is_dir():
        raise InputError(
            "The learned warp has no trained weights in this version: use the geometric warp (--warp geometric), "
            "or name a folder of weights that `python -m vto_utils train` made."
        )
    reason = "The learned warp was asked for." if warp == "learned" else "The learned warp is used."
    return "learned", reason, NetworkDresser(fitting.Fitter(folder, device, refine))


def _name(image: Any, fallback: str) -> str:
    if isinstance(image, Image.Image | np.ndarray | bytes | bytearray | memoryview):
        return fallback
    return str(image)


def _with_margin(box: tuple[int, int, int, int], size: tuple[int, int], share: float) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = box
    dx, dy = round((x1 - x0) * share), round((y1 - y0) * share)
    return max(x0 - dx, 0), max(y0 - dy, 0), min(x1 + dx, size[0]), min(y1 + dy, size[1])


def _shifted(pose: Pose, dx: int, dy: int, size: tuple[int, int]) -> Pose:
    offset = np.array([dx, dy, 0], np.float32)
    landmarks = None if pose.landmarks is None else pose.landmarks + offset
    return Pose(pose.keypoints + offset, landmarks, pose.people)


def _check_torso(pose: Pose, mask: np.ndarray) -> None:
    """The pose must show the upper body, upright, and lie on the person that was cut out."""
    shoulders = np.stack([pose.point(f"{side}_shoulder") for side in ("right", "left")])
    hips = np.stack([pose.point(f"{side}_hip") for side in ("right", "left")])
    trunk = hips.mean(0) - shoulders.mean(0)
    chest = shoulders.mean(0) + 0.3 * trunk
    x, y = np.round(chest).astype(int)
    inside = 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1]
    if not inside or not pose.visible("right_shoulder", "left_shoulder"):
        raise NoPersonError(
            "no torso is visible to dress; use a photo that shows the person from the head to the hips."
        )
    # At low confidence the pose model sees people in hills and lone legs: with few points, lying, or beside
    # what stands out. Of people in photos 13 to 18 points are sure, and 79 % of these or more on the person.
    sure = pose.keypoints[pose.keypoints[:, 2] > 0.5, :2].astype(int)
    upright = trunk[1] > 0.5 * np.linalg.norm(trunk)  # within 60 degrees
    if not upright or len(sure) < 8 or (mask[sure[:, 1], sure[:, 0]] > 0).mean() < 0.65:
        raise NoPersonError(_NOBODY)
    # On a garment alone the pose model imagines a head above the collar, where the photo shows background.
    face = pose.landmarks[:11, :2] if pose.landmarks is not None else pose.keypoints[[0, 14, 15], :2]
    fx, fy = np.round(face).astype(int).T
    shown = (fx >= 0) & (fy >= 0) & (fx < mask.shape[1]) & (fy < mask.shape[0])
    if shown.sum() >= 3 and (mask[fy[shown], fx[shown]] > 0).mean() < 0.5:
        raise NoPersonError(
            "no head is visible above the shoulders, as on a photo of a garment alone; "
            "give the photo of the person first and the garment second."
        )
    radius = max(2, round(0.08 * float(np.linalg.norm(shoulders[0] - shoulders[1]))))
    if mask[max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1].mean() < 64:
        raise NoPersonError(_NOBODY)


def _stages(person: Person, garment: Garment, dressed: Dressed, result: Image.Image) -> dict[str, Image.Image]:
    photo = np.asarray(person.image)
    cut = np.where(person.mask[..., None] > 127, photo, 255).astype(np.uint8)
    parsing = np.asarray(to_palette_image(person.parsing).convert("RGB"), np.float32)
    overlay = (0.45 * photo + 0.55 * parsing).astype(np.uint8)
    return {
        "person": person.image,
        "person cut out": Image.fromarray(cut),
        "pose": draw_pose(person.pose, photo.shape[:2], person.image),
        "parsing": Image.fromarray(overlay),
        "agnostic": agnostic.agnostic_image(person.image, dressed.allowed),
        "garment": garment.image,
        "landmarks": _draw_landmarks(garment),
        "warped garment": Image.fromarray(np.clip(dressed.warped, 0, 255).astype(np.uint8)),
        "old garment off": Image.fromarray(np.clip(dressed.bare, 0, 255).astype(np.uint8)),
        "result": result,
    }


def _draw_landmarks(garment: Garment) -> Image.Image:
    canvas = np.array(garment.image)
    radius = max(2, canvas.shape[0] // 130)
    marks = garment.landmarks
    groups = [
        ((255, 140, 0), [*marks.right_side, *marks.left_side]),
        ((220, 0, 200), [p for s in marks.sleeves.values() for p in (*s.outer, *s.inner)]),
        ((255, 220, 0), list(marks.neckline[::5])),
        ((0, 60, 255), list(marks.points.values())),
    ]
    for colour, points in groups:
        for x, y in points:
            cv2.circle(canvas, (int(round(x)), int(round(y))), radius, colour, -1, cv2.LINE_AA)
    return Image.fromarray(canvas)
