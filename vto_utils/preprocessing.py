"""Two folders of photos in, a data set out: VITON-HD's layout, which other try-on projects read.

For the split ``test`` the tree is::

    out/test_pairs.txt                                lines "PERSON.jpg GARMENT.jpg"
    out/test_pairs_unpaired.txt                       the same, under the name CatVTON looks for
    out/test/image/NAME.jpg                           person photo
    out/test/image-parse-v3/NAME.png                  labels: palette PNG, CIHP-20 ids 0..19
    out/test/image-parse-agnostic-v3.2/NAME.png       labels without what a try-on may repaint
    out/test/agnostic-v3.2/NAME.jpg                   person photo, that region grey
    out/test/agnostic-mask/NAME_mask.png              that region, 255 = repaint
    out/test/openpose_json/NAME_keypoints.json        OpenPose BODY_25 key points in pixels of the photo
    out/test/openpose_img/NAME_rendered.png           their picture on black
    out/test/cloth/NAME.jpg, cloth-mask/NAME.jpg      garment centred on white, and its mask
    out/test/.done/                                   what was made from what: lets a stopped run continue

All of a person's files have one size, so have those of a garment. Two things that some loaders open are not
made here: ``image-densepose`` (the DensePose of HR-VITON and StableVITON) and, for persons without a photo of
the garment they wear, the ``cloth`` file of the person's own name that HR-VITON's test loader opens for every
person.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from . import __version__, agnostic, labels
from .body import BodyFrame
from .errors import AssetError, InputError, OutputError, VTOError
from .files import atomic_path
from .images import check_writable, fit, load_image, save_image
from .label_maps import read_label_map
from .pose import Pose, to_openpose_json
from .workspace import image_files

if TYPE_CHECKING:
    from .tryon import TryOn

SIZE = (1024, 768)  # height, width: VITON-HD's, and the only one HR-VITON's loader can draw on
_PERSON_FILES = (
    "image/{}.jpg", "image-parse-v3/{}.png", "image-parse-agnostic-v3.2/{}.png", "agnostic-v3.2/{}.jpg",
    "agnostic-mask/{}_mask.png", "openpose_json/{}_keypoints.json", "openpose_img/{}_rendered.png",
)  # fmt: skip
_CLOTH_FILES = ("cloth/{}.jpg", "cloth-mask/{}.jpg")

#: Rows of BODY_25 that hold the COCO-18 points, in COCO order; row 8 of BODY_25 is the middle of the hips.
_FROM_COCO = (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)
#: Rows of BODY_25 that hold feet, and the BlazePose landmarks they are taken from; small toes are not known.
_FEET = {19: 31, 21: 29, 22: 32, 24: 30}
_GUESSED = 0.05  # confidence of hips that lie outside the picture
#: Limbs as OpenPose draws them, and the colour of each point; a limb has the colour of its second point.
_LIMBS = (
    (1, 8), (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (8, 9), (9, 10), (10, 11), (8, 12), (12, 13),
    (13, 14), (1, 0), (0, 15), (15, 17), (0, 16), (16, 18), (14, 19), (19, 20), (14, 21), (11, 22), (22, 23),
    (11, 24),
)  # fmt: skip
_COLOURS = (
    (255, 0, 85), (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0),
    (0, 255, 0), (255, 0, 0), (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255),
    (0, 0, 255), (255, 0, 170), (170, 0, 255), (255, 0, 255), (85, 0, 255), *[(0, 0, 255)] * 3,
    *[(0, 255, 255)] * 3,
)  # fmt: skip


@dataclass(frozen=True)
class Report:
    """What a run did.

    Attributes:
        done: photos prepared in this run.
        skipped: photos an earlier run had prepared already.
        failed: the other photos, each with one sentence that says why.
    """

    done: int
    skipped: int
    failed: list[tuple[Path, str]]

    def __str__(self) -> str:
        text = f"{self.done} photos prepared, {self.skipped} were ready, {len(self.failed)} failed."
        return "\n".join([text, *(f"- {reason}" for _, reason in self.failed)])


@dataclass(frozen=True)
class _Job:
    source: Path
    name: str  # of the files in the data set, without suffix
    is_person: bool
    parse: Path | None = None  # the user's own label map of this person

    @property
    def files(self) -> list[str]:
        return [path.format(self.name) for path in (_PERSON_FILES if self.is_person else _CLOTH_FILES)]


def preprocess_folders(
    persons: str | os.PathLike,
    cloths: str | os.PathLike,
    out: str | os.PathLike,
    progress: bool = True,
    tryon: TryOn | None = None,
    size: tuple[int, int] = SIZE,
    split: str = "test",
    category: str = "auto",
    parses: str | os.PathLike | None = None,
) -> Report:
    """Prepare all photos of two folders for training and evaluation; continue where an earlier run stopped.

    A photo that cannot be used is reported and the others go on. Every file appears whole or not at all. A
    photo counts as ready when all its files are there as they were written and neither it, nor ``size``, nor
    ``category``, nor the version of this package has changed since.

    Names are kept, with everything but letters, digits, ``-`` and ``_`` replaced by ``_``: loaders split the
    pairs file at spaces. Pairs: a person and a garment of the same name belong together; the rest are dealt
    in turn, so that each photo is in at least one pair. The pairs files are written anew at the end of each
    run and list only photos that are ready.

    Args:
        persons: folder with photos of people; sub-folders, hidden files and other kinds of file are ignored.
        cloths: folder with photos of garments.
        out: folder of the data set, created when missing.
        progress: show a progress bar with the rate and the time left.
        tryon: loaded models to use; made and closed again when not given.
        size: (height, width) of all pictures. Photos are fitted into it without distortion, on white.
        split: name of the sub-folder and of the pairs file; loaders look for ``test`` or ``train``.
        category: the garment that the agnostic files leave room for: ``upper_body``, ``lower_body`` or
            ``dresses``; ``auto`` is ``upper_body``, VITON-HD's only category.
        parses: folder with a label map of each person photo, as large as the photo and of its name, ending in
            .png, .npy or .npz (:func:`vto_utils.label_maps.read_label_map`). They are taken instead of the labels
            found here, and what is made from those follows them.

    Raises:
        InputError: a folder is missing or holds no photo, or an argument is not one of the above.
        AssetError: a model file is missing.
        OutputError: ``out`` cannot be written.
    """
    if category not in ("auto", *labels.CATEGORIES):
        raise InputError(f"Unknown category '{category}': use one of {', '.join(labels.CATEGORIES)} or auto.")
    category = "upper_body" if category == "auto" else category
    if min(size) < 64:
        raise InputError(f"The size {size[0]}x{size[1]} is too small: use at least 64 pixels on each side.")
    if not re.fullmatch(r"[\w-]+", split):
        raise InputError(f"'{split}' cannot be the name of a split: use letters and digits, as in test.")
    root = Path(out).expanduser() / split
    check_writable(root.parent / f"{split}_pairs.txt", suffixes=None)
    jobs, failed = _find_jobs(Path(persons).expanduser(), Path(cloths).expanduser(), root)
    if parses is not None:
        jobs, without = _with_parses(jobs, Path(parses).expanduser())
        failed += without

    settings = {"size": list(size), "category": category, "version": __version__}
    todo = [job for job in jobs if not _is_done(job, root, settings)]
    ready = set(jobs).difference(todo)
    skipped = len(ready)
    if todo:
        failed += _run(todo, ready, root, settings, tryon, progress)
    names = [[job.name for job in jobs if job in ready and job.is_person is kind] for kind in (True, False)]
    lines = "".join(f"{person}.jpg {cloth}.jpg\n" for person, cloth in make_pairs(*names))
    for suffix in ("pairs", "pairs_unpaired"):
        _write_text(root.parent / f"{split}_{suffix}.txt", lines)
    return Report(len(ready) - skipped, skipped, failed)


def make_pairs(persons: list[str], cloths: list[str]) -> list[tuple[str, str]]:
    """Who tries on what, by name and without suffix, in the order of the persons.

    A person and a garment of the same name belong together. The others are dealt in turn, the shorter list
    again from its start; where only one side has others, they meet everybody of the other side in turn.
    """
    if not persons or not cloths:
        return []
    shared = set(persons) & set(cloths)
    other_persons = [name for name in persons if name not in shared]
    other_cloths = [name for name in cloths if name not in shared]
    count = max(len(other_persons), len(other_cloths))
    givers, takers = other_cloths or cloths, other_persons or persons
    pairs = [(name, name) for name in persons if name in shared]
    pairs += [(takers[i % len(takers)], givers[i % len(givers)]) for i in range(count)]
    place = {name: number for number, name in enumerate(persons)}
    return sorted(pairs, key=lambda pair: place[pair[0]])


def to_body25(pose: Pose, size: tuple[int, int]) -> np.ndarray:
    """The pose in OpenPose's BODY_25 order, which VITON-HD's key point files use.

    Loaders build the agnostic picture from the hips without asking whether they are known, so hips that lie
    outside the picture are kept at the place the rest of the body implies, with a confidence of 0.05.

    Args:
        pose: key points with shoulders.
        size: (height, width) of the picture; feet outside it are left out.

    Returns:
        (25, 3) float32: x, y in pixels, confidence; unknown points are 0, 0, 0.

    Raises:
        NoPersonError: the shoulders are not visible.
    """
    points = np.zeros((25, 3), np.float32)
    points[list(_FROM_COCO)] = np.where(pose.keypoints[:, 2:] > 0, pose.keypoints, 0)
    frame = BodyFrame.from_pose(pose)
    for row, place in ((9, frame.right_hip), (12, frame.left_hip)):
        if points[row, 2] == 0:
            points[row] = *place, _GUESSED
    points[8] = *points[[9, 12], :2].mean(0), points[[9, 12], 2].min()
    if pose.landmarks is not None:
        for row, landmark in _FEET.items():
            x, y, confidence = pose.landmarks[landmark]
            if 0 <= x < size[1] and 0 <= y < size[0]:
                points[row] = x, y, confidence
    return points


def draw_body25(points: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Picture of (25, 3) key points on black in OpenPose's colours; ``size`` is (height, width)."""
    canvas = np.zeros((*size, 3), np.uint8)
    ends = [tuple(int(v) for v in np.round(point[:2])) for point in points]
    width = max(1, round(min(size) / 75))
    for a, b in _LIMBS:
        if min(points[a, 2], points[b, 2]) >= _GUESSED:
            cv2.line(canvas, ends[a], ends[b], _COLOURS[b], width, cv2.LINE_AA)
    for end, point, colour in zip(ends, points, _COLOURS, strict=True):
        if point[2] >= _GUESSED:
            cv2.circle(canvas, end, max(1, round(min(size) / 100)), colour, -1, cv2.LINE_AA)
    return Image.fromarray(canvas)


# Which photos -------------------------------------------------------------------------------------


def _find_jobs(persons: Path, cloths: Path, root: Path) -> tuple[list[_Job], list[tuple[Path, str]]]:
    """The photos of both folders, and those that cannot have a name of their own in the data set."""
    written = {(root / Path(path).parent).resolve() for path in (*_PERSON_FILES, *_CLOTH_FILES)}
    jobs, clashes = [], []
    for folder, what in ((persons, "people"), (cloths, "garments")):
        try:
            photos = image_files(folder)
        except OSError as error:
            reason = f"Cannot read {folder} ({error.strerror or error}): give the folder of photos of {what}."
            raise InputError(reason) from error
        if not photos:
            raise InputError(f"There is no photo in {folder}: put photos of {what} there (JPEG, PNG).")
        if folder.resolve() in written:
            raise InputError(f"The photos in {folder} would be overwritten: choose another output folder.")
        taken: dict[str, Path] = {}
        for photo in photos:
            name = re.sub(r"[^\w-]+", "_", photo.stem)
            first = taken.setdefault(name.casefold(), photo)
            if first is photo:
                jobs.append(_Job(photo, name, folder is persons))
            else:
                reason = f"{photo.name} would be saved under the name of {first.name}: rename one of them."
                clashes.append((photo, reason))
    return jobs, clashes


def _with_parses(jobs: list[_Job], folder: Path) -> tuple[list[_Job], list[tuple[Path, str]]]:
    """The jobs, those of persons with their label maps, and the persons that have none."""
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}: give the folder of label maps, or leave it out.")
    found, without = [], []
    for job in jobs:
        paths = [folder / f"{job.source.stem}{suffix}" for suffix in (".png", ".npy", ".npz")]
        parse = next((path for path in paths if path.is_file()), None) if job.is_person else None
        if job.is_person and parse is None:
            without.append((job.source, f"{job.source.name} has no label map {paths[0]}: add it."))
        else:
            found.append(replace(job, parse=parse))
    return found, without


def _record_path(job: _Job, root: Path) -> Path:
    return root / ".done" / ("person" if job.is_person else "cloth") / f"{job.name}.json"


def _origin(job: _Job, settings: dict) -> dict:
    """What decides a photo's files: the photo (without reading it) and the settings."""
    stat = job.source.stat()
    origin = {"photo": job.source.name, "bytes": stat.st_size, "modified": stat.st_mtime_ns, **settings}
    if not job.is_person:
        del origin["category"]
    if job.parse:
        stat = job.parse.stat()
        origin["parse"] = [str(job.parse.absolute()), stat.st_size, stat.st_mtime_ns]
    return origin


def _is_done(job: _Job, root: Path, settings: dict) -> bool:
    try:
        record = json.loads(_record_path(job, root).read_text(encoding="utf-8"))
        sizes = {path: (root / path).stat().st_size for path in job.files}
        return record == {**_origin(job, settings), "files": sizes}
    except (OSError, ValueError):
        return False


# Making the files ---------------------------------------------------------------------------------


def _run(
    todo: list[_Job], ready: set[_Job], root: Path, settings: dict, tryon: TryOn | None, progress: bool
) -> list[tuple[Path, str]]:
    """Prepare the photos of ``todo``; those that went well join ``ready``, the others are returned."""
    from tqdm.auto import tqdm

    from .tryon import TryOn

    failed: list[tuple[Path, str]] = []
    models = tryon or TryOn()
    total = len(todo) + len(ready)
    bar = tqdm(total=total, initial=len(ready), unit="photo", desc="Preparing", disable=not progress)
    try:
        for job in todo:
            try:
                _prepare(job, root, settings, models)
                ready.add(job)
            except (AssetError, OutputError):
                raise  # no fault of this photo: the next one would meet the same
            except Exception as error:  # one bad photo, whatever is bad about it, must not stop the others
                failed.append((job.source, _reason(job.source, error)))
                bar.set_postfix_str(f"{len(failed)} failed", refresh=False)
            bar.update()
    finally:
        bar.close()
        if tryon is None:
            models.close()
    return failed


def _prepare(job: _Job, root: Path, settings: dict, models: TryOn) -> None:
    origin, size = _origin(job, settings), tuple(settings["size"])
    contents = _person(job, models, size, settings["category"]) if job.is_person else _garment(job, models, size)
    for path, content in zip(job.files, contents, strict=True):
        if isinstance(content, str):
            _write_text(root / path, content)
        else:
            save_image(content, root / path)
    sizes = {path: (root / path).stat().st_size for path in job.files}
    # Written last: without it the files do not count, and the photo is prepared again.
    _write_text(_record_path(job, root), json.dumps({**origin, "files": sizes}))


def _person(job: _Job, models: TryOn, size: tuple[int, int], category: str) -> list[Image.Image | str]:
    """What goes into ``_PERSON_FILES``, in that order."""
    photo = load_image(job.source)
    parsing = read_label_map(job.parse, (photo.height, photo.width)) if job.parse else None
    person = models.prepare_person(fit(photo, size))
    if parsing is not None:
        person = replace(person, parsing=labels.fit(parsing, size))
    region = agnostic.agnostic_mask(person.parsing, person.pose, category)
    points = to_body25(person.pose, size)
    document = json.loads(to_openpose_json(person.pose))
    document["people"][0]["pose_keypoints_2d"] = points.astype(float).round(3).reshape(-1).tolist()
    return [
        person.image,
        labels.to_palette_image(person.parsing),
        labels.to_palette_image(agnostic.agnostic_parsing(person.parsing, region)),
        agnostic.agnostic_image(person.image, region),
        Image.fromarray(region.astype(np.uint8) * 255),
        json.dumps(document),
        draw_body25(points, size),
    ]


def _garment(job: _Job, models: TryOn, size: tuple[int, int]) -> list[Image.Image]:
    """What goes into ``_CLOTH_FILES``, in that order."""
    garment = models.prepare_garment(job.source)
    mask = np.asarray(fit(Image.fromarray(garment.mask), size, fill=0))
    return [fit(garment.image, size), Image.fromarray(np.where(mask > 127, 255, 0).astype(np.uint8))]


def _write_text(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def _reason(source: Path, error: Exception) -> str:
    """One sentence that begins with the photo's name, not with its whole path."""
    if not isinstance(error, VTOError):
        detail = (str(error).strip().splitlines() or ["no details"])[0]
        return f"{source.name} could not be prepared ({type(error).__name__}: {detail}): try another photo."
    text = str(error)
    for name in (str(source), "The person photo", "The garment photo"):
        if text.startswith(name):
            return source.name + text[len(name) :]
    return f"{source.name}: {text}"
