"""What the program sees in two photos, one step after the other, with pictures and findings of each step.

The chain is the try-on's own. Where it gives up, the steps that went well are kept: they show why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from .. import agnostic, filters
from ..errors import InputError, NoPersonError, VTOError
from ..garment import CATEGORIES, Garment
from ..images import load_image
from ..labels import to_palette_image
from ..plots import mark_points, parsing_picture
from ..pose import Pose, draw_pose
from ..segmentation import Segmentation
from .findings import Finding, explain_error
from .photo_check import check_garment, check_person

if TYPE_CHECKING:
    from ..garment_reading import Reading

STAGES = ("background", "segmentation", "pose", "parsing", "garment", "agnostic")
_MOST_PEOPLE = 6
_GARMENT_SIDE = 1536  # pixels
_TINT = np.array([0, 160, 90], np.float32)


@dataclass(frozen=True)
class StageSettings:
    """What a person may want to change about the steps.

    Attributes:
        person: 0 takes the largest and most central person; 1 is the leftmost, 2 the next, and so on.
        grow: pixels by which the person mask is widened, or narrowed where negative, before the parsing.
        feather: pixels over which the edge of the cut-out fades.
        room: pixels by which the region that may be repainted is widened; what must be kept stays kept.
        category: ``upper_body``, ``lower_body``, ``dresses``, or ``auto`` to go by the garment.

    Raises:
        InputError: an unknown category, or a negative person, feather or room.
    """

    person: int = field(default=0, metadata={"min": 0, "max": _MOST_PEOPLE, "help": "0: largest, 1: leftmost ..."})
    grow: int = field(default=0, metadata={"min": -20, "max": 20, "help": "pixels, person mask"})
    feather: int = field(default=2, metadata={"min": 0, "max": 20, "help": "pixels, edge of the cut-out"})
    room: int = field(default=0, metadata={"min": 0, "max": 60, "help": "pixels, around what may be repainted"})
    category: str = field(default="auto", metadata={"choices": ["auto", *CATEGORIES], "help": "kind of garment"})

    def __post_init__(self) -> None:
        if self.category not in ("auto", *CATEGORIES):
            raise InputError(f"Unknown category '{self.category}': use one of auto, {', '.join(CATEGORIES)}.")
        if min(self.person, self.feather, self.room) < 0:
            raise InputError("person, feather and room must be 0 or more.")


@dataclass(frozen=True)
class PersonStages:
    """What was found in a photo of a person; None from the step on that failed.

    Attributes:
        image: RGB photo, cropped where a person was chosen.
        plain: the same on white, everything that stands out.
        segmentation, pose, parsing: as the steps gave them.
        error: why the chain stopped.
    """

    image: Image.Image
    plain: Image.Image
    segmentation: Segmentation | None = None
    pose: Pose | None = None
    parsing: np.ndarray | None = None
    error: VTOError | None = None

    @property
    def findings(self) -> list[Finding]:
        """What looks wrong."""
        if self.error is not None or self.parsing is None:
            return [explain_error(self.error or NoPersonError("The photo was not looked at."))]
        return check_person(self.image, self.segmentation.mask, self.pose, self.parsing, self.segmentation.people)

    def cutout(self, feather: int) -> Image.Image:
        """The person as RGBA, the mask fading over ``feather`` pixels.

        Raises:
            VTOError: nobody was found.
        """
        self._need(self.segmentation)
        alpha = filters.feather(self.segmentation.mask / 255, feather) if feather else self.segmentation.mask / 255
        result = self.image.convert("RGBA")
        result.putalpha(Image.fromarray(np.round(alpha * 255).astype(np.uint8)))
        return result

    def region(self, category: str, room: int) -> np.ndarray:
        """Bool HW: what a try-on of ``category`` may repaint, with ``room`` pixels more.

        Raises:
            VTOError: a step before it failed.
        """
        self._need(self.parsing)
        region = agnostic.agnostic_mask(self.parsing, self.pose, category)
        if room == 0:
            return region
        return filters.grow(region, room) & ~agnostic.keep_mask(self.parsing, self.pose, category)

    def _need(self, found: Any) -> None:
        if found is None:
            raise self.error or NoPersonError("The photo was not looked at.")


@dataclass(frozen=True)
class GarmentStages:
    """What was found in a photo of a garment.

    Attributes:
        image: RGB photo; ``plain``: the same on white.
        alpha: float32 HW in [0, 1], the garment in the photo.
        garment: as read; None where ``error`` says why not.
        reading: what the garment network says of it; None without one.
    """

    image: Image.Image
    plain: Image.Image
    alpha: np.ndarray | None = None
    garment: Garment | None = None
    reading: Reading | None = None
    error: VTOError | None = None

    @property
    def findings(self) -> list[Finding]:
        """What looks wrong."""
        if self.garment is None:
            return [explain_error(self.error or InputError("The photo was not looked at."))]
        return check_garment(self.image, self.alpha, self.garment, self.reading)


@dataclass(frozen=True)
class Stages:
    """Both photos and the settings; see :func:`look`."""

    person: PersonStages
    garment: GarmentStages
    settings: StageSettings

    @property
    def category(self) -> str:
        """The kind of garment that the person is prepared for."""
        if self.settings.category != "auto":
            return self.settings.category
        return self.garment.garment.category if self.garment.garment else "upper_body"

    def pictures(self, stage: str) -> dict[str, Image.Image]:
        """The pictures of one of :data:`STAGES`, by title.

        Raises:
            InputError: there is no such stage.
            VTOError: the stage, or one before it, failed; the sentence says why.
        """
        if stage not in STAGES:
            raise InputError(f"There is no stage '{stage}': use one of {', '.join(STAGES)}.")
        return getattr(self, f"_{stage}")()

    def _background(self) -> dict[str, Image.Image]:
        return {
            "person": self.person.image, "person on white": self.person.plain,
            "garment": self.garment.image, "garment on white": self.garment.plain,
        }  # fmt: skip

    def _segmentation(self) -> dict[str, Image.Image]:
        cut = self.person.cutout(self.settings.feather)
        mask = Image.fromarray(self.person.segmentation.mask)
        tinted = _tinted(self.person.image, self.person.segmentation.mask > 127)
        return {"mask": mask, "mask on the photo": tinted, "cut out": _on_white(cut)}

    def _pose(self) -> dict[str, Image.Image]:
        self.person._need(self.person.pose)
        size = self.person.image.height, self.person.image.width
        pose = self.person.pose
        return {"pose": draw_pose(pose, size), "pose on the photo": draw_pose(pose, size, self.person.image)}

    def _parsing(self) -> dict[str, Image.Image]:
        self.person._need(self.person.parsing)
        colours = to_palette_image(self.person.parsing).convert("RGB")
        mixed = Image.blend(self.person.image, colours, 0.55)
        return {"parsing": parsing_picture(self.person.parsing), "parsing on the photo": mixed}

    def _garment(self) -> dict[str, Image.Image]:
        garment = self.garment.garment
        if garment is None:
            raise self.garment.error or InputError("The photo was not looked at.")
        landmarks = mark_points(garment.image, garment.landmarks.points)
        return {"cut out and centred": garment.image, "mask": Image.fromarray(garment.mask), "landmarks": landmarks}

    def _agnostic(self) -> dict[str, Image.Image]:
        region = self.person.region(self.category, self.settings.room)
        return {
            "may be repainted": Image.fromarray(region.astype(np.uint8) * 255),
            "on the photo": _tinted(self.person.image, region),
            "agnostic person": agnostic.agnostic_image(self.person.image, region),
        }


def look(models: Any, person: Any, garment: Any, settings: StageSettings | None = None) -> Stages:
    """Take two photos through all steps.

    Args:
        models: a :class:`vto_utils.tryon.TryOn`, whose models are used.
        person, garment: photos, as for :func:`vto_utils.images.load_image`.
        settings: of the steps.

    Raises:
        InputError: a photo cannot be read, or there is no such person in it.
    """
    settings = settings or StageSettings()
    worn = look_at_garment(models, garment, settings.category)
    return Stages(look_at_person(models, person, settings), worn, settings)


def look_at_person(models: Any, image: Any, settings: StageSettings) -> PersonStages:
    """The steps of a person's photo; arguments and errors as for :func:`look`."""
    photo = load_image(image)
    if settings.person:
        photo = photo.crop(_chosen_box(models.segmenter, photo, settings.person))
    steps = PersonStages(photo, models.remover.remove(photo))
    try:
        found = models.prepare_person(photo)
    except NoPersonError as error:  # once more, one by one: how far does it get?
        steps = replace(steps, error=error)
        attempts: dict[str, Callable[[], Any]] = {
            "segmentation": lambda: models.segmenter.segment(photo),
            "pose": lambda: models.poses.estimate(photo),
        }
        for name, attempt in attempts.items():
            try:
                steps = replace(steps, **{name: attempt()})
            except NoPersonError:
                break
        return steps
    segmentation, parsing = found.segmentation, found.parsing
    if settings.grow:
        mask = filters.grow(segmentation.mask > 127, settings.grow)
        segmentation = replace(segmentation, mask=mask.astype(np.uint8) * 255)
        parsing = models.parser.parse(photo, segmentation.mask, found.pose)
    return replace(steps, segmentation=segmentation, pose=found.pose, parsing=parsing)


def look_at_garment(models: Any, image: Any, category: str = "auto") -> GarmentStages:
    """The steps of a garment's photo; arguments and errors as for :func:`look`."""
    photo = load_image(image)
    photo.thumbnail((_GARMENT_SIDE, _GARMENT_SIDE))  # the reader works at this size, too
    network = models.reader.network
    reading = None if network is None else network.read(np.asarray(photo))
    alpha = models.reader.alpha(np.asarray(photo))
    steps = GarmentStages(photo, _on_white_by(photo, alpha), alpha, reading=reading)
    try:
        return replace(steps, garment=models.prepare_garment(photo, category))
    except InputError as error:
        return replace(steps, error=error)


def people_in(segmenter: Any, photo: Image.Image, most: int = _MOST_PEOPLE) -> list[Segmentation]:
    """The people of a photo from left to right.

    The one who is found is painted over and the next one looked for, so that it works with every backend of
    :class:`vto_utils.segmentation.PersonSegmenter`.

    Raises:
        NoPersonError: nobody was found.
    """
    found = [segmenter.segment(photo)]
    rest = np.array(photo)
    while len(found) < min(found[0].people, most):
        gone = filters.grow(found[-1].mask > 127, 0.01 * max(photo.size))
        rest[gone] = np.median(rest[~gone].reshape(-1, 3), axis=0) if (~gone).any() else 255
        try:
            found.append(segmenter.segment(Image.fromarray(rest)))
        except NoPersonError:
            break
    return sorted(found, key=lambda one: one.box[0] + one.box[2])


def _chosen_box(segmenter: Any, photo: Image.Image, number: int) -> tuple[int, int, int, int]:
    people = people_in(segmenter, photo)
    if number > len(people):
        word = "person was" if len(people) == 1 else "people were"
        raise InputError(f"Only {len(people)} {word} found in the photo: choose 0 to {len(people)}.")
    x0, y0, x1, y1 = people[number - 1].box
    margin = round(0.06 * max(x1 - x0, y1 - y0))
    return max(x0 - margin, 0), max(y0 - margin, 0), min(x1 + margin, photo.width), min(y1 + margin, photo.height)


def _tinted(image: Image.Image, area: np.ndarray) -> Image.Image:
    array = np.asarray(image, np.float32).copy()
    array[area] = 0.5 * array[area] + 0.5 * _TINT
    edge = filters.grow(area, max(1, image.height / 500)) & ~area
    array[edge] = 255
    return Image.fromarray(array.astype(np.uint8))


def _on_white(cut: Image.Image) -> Image.Image:
    white = Image.new("RGB", cut.size, "white")
    white.paste(cut, mask=cut.getchannel("A"))
    return white


def _on_white_by(photo: Image.Image, alpha: np.ndarray) -> Image.Image:
    mask = Image.fromarray(np.round(np.clip(alpha, 0, 1) * 255).astype(np.uint8))
    return Image.composite(photo, Image.new("RGB", photo.size, "white"), mask)
