"""What may be wrong with a photo of a person or of a garment, measured on what the steps found in it.

Every limit was set between photos that work and photos spoiled on purpose (cut, shrunk, blurred, darkened); the notes
beside :class:`.photo_quality.Limits` say what was measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from .. import labels
from ..body import BodyFrame
from ..filters import fill_holes, grow
from ..garment import Garment
from ..pose import Pose
from .findings import Finding
from .photo_quality import LIMITS, Limits, check_picture, lightness, sharpness

if TYPE_CHECKING:
    from ..garment_reading import Reading

_LOWER = (labels.ID["pants"], labels.ID["skirt"], *labels.LEGS)
_HEAD = tuple(labels.ID[name] for name in ("hat", "hair", "face"))
_FACE = ("nose", "right_eye", "left_eye")


# A person -----------------------------------------------------------------------------------------


def check_person(
    image: Image.Image,
    mask: np.ndarray,
    pose: Pose,
    parsing: np.ndarray,
    people: int = 1,
    limits: Limits = LIMITS,
) -> list[Finding]:
    """Look for trouble in a photo of a person and in what was found in it.

    Args:
        image: RGB photo.
        mask: uint8 HW, 255 = person.
        pose: key points in pixels of the photo.
        parsing: uint8 HW, CIHP-20 ids.
        people: how many people the segmentation saw.
        limits: where a measure begins to look wrong.

    Returns:
        The findings; empty when nothing was found.

    Raises:
        NoPersonError: the pose shows no shoulders.
    """
    facts = person_facts(image, mask, pose, parsing)
    found = [*check_picture(facts, limits), *_people(max(people, pose.people))]
    cut = _cut(facts, pose, limits)
    partial = any(finding.kind == "cut-side" for finding in cut)  # what is half there has no proportions
    if facts["torso"] < limits.torso and not partial:
        found.append(Finding(
            "small", "warning",
            f"The person is small: {facts['torso']:.0f} pixels from shoulders to hips.",
            "The photo was scaled down, or was taken from far away.",
            f"Use a larger photo: {limits.torso:.0f} pixels or more from shoulders to hips.",
        ))  # fmt: skip
    elif facts["share"] < limits.share and not partial:
        found.append(Finding(
            "far", "warning", "The person fills only a small part of the photo.",
            "It was taken from far away.", "Crop the photo around the person, or step closer.",
        ))  # fmt: skip
    found += cut
    found += [] if partial else _turned(facts, pose, limits, any(finding.kind == "cut-head" for finding in cut))
    if facts["arms"] > (limits.folded if facts["wrists"] == 2 else limits.arms):
        found.append(Finding(
            "arms", "warning", f"Arms cover {facts['arms']:.0%} of the upper body.",
            "They are crossed or held before the body.",
            "Let the arms hang at the sides, a little away from the body.",
        ))  # fmt: skip
    if facts["odd"] > limits.odd:
        found.append(Finding(
            "labels", "warning", f"{facts['odd']:.0%} of the chest is labelled as trousers, skirt or legs.",
            "Top and trousers have much the same colour, or the person bends.",
            "Wear a top of another colour than the trousers and stand upright, "
            "or give a label map of your own to the folder run.",
        ))  # fmt: skip
    if facts["bare"] > limits.bare:
        found.append(Finding(
            "mask", "warning", f"{facts['bare']:.0%} of chest and belly count as background.",
            "Clothes and background have much the same colour, or something stands before the person.",
            "Use a plain background of another colour and even light; grow the mask by a few pixels.",
        ))  # fmt: skip
    return found


def person_facts(image: Image.Image, mask: np.ndarray, pose: Pose, parsing: np.ndarray) -> dict[str, float]:
    """The measures behind :func:`check_person`; arguments as there.

    Returns:
        ``torso`` (pixels, shoulders to hips), ``share`` (of the photo's height), ``white``, ``sharp``, ``turn``
        (distance of the shoulders in torso lengths, negative where the person's right is on the right of the
        photo), ``left``, ``right`` (share of the trunk's rows whose mask lies on that edge), ``top`` (share of the
        upper edge inside the mask), ``head`` (area of its labels in squared torso lengths), ``arms``, ``bare``
        (shares of chest and belly), ``wrists`` (how many are before them), ``odd`` (share of the chest).

    Raises:
        NoPersonError: the pose shows no shoulders.
    """
    frame = BodyFrame.from_pose(pose)
    height, width = mask.shape
    inside = mask > 127
    rows = np.clip([frame.neck[1], frame.pelvis[1]], 0, height).astype(int)
    trunk = inside[rows[0] : max(rows[1], rows[0] + 1)]
    grey = lightness(image)
    factor = min(1.0, 400 / frame.torso)  # shares need no more pixels
    size = max(1, round(height * factor)), max(1, round(width * factor))
    small = cv2.resize(parsing, size[::-1], interpolation=cv2.INTER_NEAREST)
    along, aside = BodyFrame.from_pose(pose.scaled(size[1] / width, size[0] / height)).coordinates(size)
    # Without the rim, where labels of arms and background are in their right.
    body = (along > 0.12) & (along < 0.8) & (np.abs(aside) < 0.3)
    chest = body & (along < 0.5)  # above any waist

    def share(area: np.ndarray, where: np.ndarray) -> float:
        return float(area[where].mean()) if where.any() else 0.0

    return {
        "torso": frame.torso,
        "share": frame.torso / height,
        "white": float(np.percentile(grey, 99)),
        "sharp": sharpness(grey, inside, 250 / max(frame.torso, 1)),
        "turn": float(frame.left_shoulder[0] - frame.right_shoulder[0]) / max(frame.torso, 1),
        "left": float(trunk[:, 0].mean()) if len(trunk) else 0.0,
        "right": float(trunk[:, -1].mean()) if len(trunk) else 0.0,
        "top": float(inside[0].mean()),
        "head": float(labels.select(small, _HEAD).sum()) / (frame.torso * factor) ** 2,
        "arms": share(labels.select(small, (*labels.ARMS, labels.ID["glove"])), body),
        "wrists": float(sum(_before_body(pose, frame, f"{side}_wrist") for side in ("left", "right"))),
        "odd": share(labels.select(small, _LOWER), chest),
        "bare": share(small == 0, body),
    }


def _before_body(pose: Pose, frame: BodyFrame, name: str) -> bool:
    if not pose.visible(name):
        return False
    offset = pose.point(name) - frame.neck
    along, aside = offset @ frame.down / frame.torso, offset @ frame.across / frame.breadth
    return bool(0.1 < along < 0.8 and abs(aside) < 0.5)


def _people(count: int) -> list[Finding]:
    if count < 2:
        return []
    return [Finding(
        "several-people", "warning", f"The photo shows {count} people.",
        "Only one can be dressed: the largest and most central one.",
        "Choose another with the slider 'which person', or crop the photo to one person.",
    )]  # fmt: skip


def _cut(facts: dict[str, float], pose: Pose, limits: Limits) -> list[Finding]:
    found = []
    sides = [side for side in ("left", "right") if facts[side] > limits.edge]
    if sides:
        found.append(Finding(
            "cut-side", "warning", f"The person is cut off at the {' and '.join(sides)} edge of the photo.",
            "The photo ends inside the person.", "Step back, or use a photo with room beside shoulders and arms.",
        ))  # fmt: skip
    if facts["top"] > 0.01 and not pose.visible("right_eye", "left_eye"):
        found.append(Finding(
            "cut-head", "warning", "The head is cut off.",
            "The photo ends above the shoulders.", "Use a photo with the whole head in it.",
        ))  # fmt: skip
    elif facts["head"] < limits.head:
        found.append(Finding(
            "no-head", "warning", "No head is seen above the shoulders.",
            "The photo shows a garment alone, a dummy, or a hidden face.",
            "Give the photo of the person first and that of the garment second.",
        ))  # fmt: skip
    if not pose.visible("right_hip", "left_hip"):
        found.append(Finding(
            "cut-hips", "hint", "The hips are not in the photo.",
            "It ends above them.", "It will do for tops; for trousers, skirts and dresses show the knees or more.",
        ))  # fmt: skip
    return found


def _turned(facts: dict[str, float], pose: Pose, limits: Limits, headless: bool) -> list[Finding]:
    faceless = not headless and not any(pose.visible(name) for name in _FACE)
    if facts["turn"] < -limits.narrow / 2 or faceless:
        return [Finding(
            "back", "warning", "The person is seen from behind.",
            "Left and right are where a back has them, or no face is visible.",
            "Use a photo from the front.",
        )]  # fmt: skip
    if facts["turn"] < limits.narrow:
        return [Finding(
            "profile", "warning", "The person is turned to the side: the shoulders are narrow for the torso.",
            "The photo was taken from the side, or squeezed.", "Use a photo from the front with both shoulders in it.",
        )]  # fmt: skip
    return []


# A garment ----------------------------------------------------------------------------------------


def check_garment(
    image: Image.Image,
    alpha: np.ndarray,
    garment: Garment,
    reading: Reading | None = None,
    limits: Limits = LIMITS,
) -> list[Finding]:
    """Look for trouble in a photo of a garment and in what was found in it.

    Args:
        image: RGB photo.
        alpha: float32 HW in [0, 1] of the photo's size, the garment.
        garment: what was read from the photo.
        reading: what the garment network says of the photo, where it was asked.
        limits: where a measure begins to look wrong.

    Returns:
        The findings; empty when nothing was found.
    """
    facts = garment_facts(image, alpha)
    found = check_picture(facts, limits)
    if facts["size"] < limits.garment:
        found.append(Finding(
            "small", "warning", f"The garment is small: {facts['size']:.0f} pixels on its longer side.",
            "The photo was scaled down, or was taken from far away.",
            f"Use a larger photo: {limits.garment:.0f} pixels or more.",
        ))  # fmt: skip
    sides = [side for side in ("top", "bottom", "left", "right") if facts[side] > limits.garment_edge]
    if sides:
        found.append(Finding(
            "cut", "warning", f"The garment reaches the {', '.join(sides)} edge of the photo.",
            "Part of it is cut off.", "Use a photo of the whole garment, with some background around it.",
        ))  # fmt: skip
    if facts["ground"] > limits.ground:
        found.append(Finding(
            "ground", "warning", "The background of the garment is patterned.",
            "It lies on patterned cloth, wood or grass.", "Lay it on something plain of another colour.",
        ))  # fmt: skip
    if facts["holes"] > limits.holes:
        found.append(Finding(
            "holes", "warning", f"The cut-out has holes: {facts['holes']:.0%} of its area.",
            "A print has the colour of the background.", "Photograph it on a plain background of another colour.",
        ))  # fmt: skip
    doubt = reading is not None and (
        reading.categories.max() < limits.sure or reading.chance("garment") < limits.is_garment
    )
    if doubt and garment.reason != "as asked":
        found.append(Finding(
            "category", "warning",
            f"It is taken for {garment.category}, but that is not certain.",
            "Jumpsuits, coats, swimwear, underwear and things that are no clothes are not covered.",
            "Set the kind of garment yourself if it is wrong.",
        ))  # fmt: skip
    if garment.guess != garment.category:
        found.append(Finding(
            "category", "hint", f"It looks like {garment.guess}, but is used as {garment.category}.",
            "That kind was asked for.", "Set the kind of garment to auto unless you mean it.",
        ))  # fmt: skip
    return found


def garment_facts(image: Image.Image, alpha: np.ndarray) -> dict[str, float]:
    """The measures behind :func:`check_garment`; arguments as there.

    Returns:
        ``size`` (pixels of the longer side), ``white``, ``sharp``, ``top``, ``bottom``, ``left``, ``right`` (share
        of that edge of the photo that the garment covers), ``ground`` (mean step of lightness in the background),
        ``holes`` (share of the garment's area).
    """
    inside = alpha > 0.5
    grey = lightness(image)
    ys, xs = np.nonzero(inside)
    size = float(max(np.ptp(xs), np.ptp(ys)) + 1) if len(xs) else 0.0
    outside = ~grow(inside, 0.03 * max(inside.shape))
    # Steps over a distance that grows with the photo: paper, walls and shadows change slowly, patterns do not.
    step = max(2, round(max(inside.shape) / 100))
    change = np.maximum(*np.abs([grey - np.roll(grey, step, axis) for axis in (0, 1)]))
    change[:step], change[:, :step] = 0, 0
    whole = fill_holes(inside)
    return {
        "size": size,
        "white": float(np.percentile(grey, 99)),
        "sharp": sharpness(grey, inside, 500 / max(size, 1)),
        "top": float(inside[0].mean()),
        "bottom": float(inside[-1].mean()),
        "left": float(inside[:, 0].mean()),
        "right": float(inside[:, -1].mean()),
        "ground": float(change[outside].mean()) if outside.mean() > 0.02 else 0.0,
        "holes": float((whole & ~inside).sum() / max(whole.sum(), 1)),
    }
