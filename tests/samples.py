"""People and garments that several test modules share: read once, used many times."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from vto_utils import labels
from vto_utils.garment import Garment
from vto_utils.pose import KEYPOINT_NAMES, Pose
from vto_utils.tryon import Person, TryOn

FOLDER = Path(__file__).parent.parent / "sample_images"
PEOPLE = ("person_1", "person_2", "person_3")
CLOTHS = {
    "tshirt_print": "upper_body",
    "long_sleeve": "upper_body",
    "tank_top": "upper_body",
    "trousers": "lower_body",
}
SIZE = (512, 384)  # (height, width) at which most tests look at the people

# BlazePose landmarks come in (left, right) pairs after the nose, save the order around the eyes.
_BLAZEPOSE_MIRROR = [0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9]
_BLAZEPOSE_MIRROR += [i + 1 if i % 2 else i - 1 for i in range(11, 33)]


def photo(name: str, size: tuple[int, int] = SIZE) -> Image.Image:
    """A sample photo by its file name without ending, resized to (height, width)."""
    folder = "person" if name in PEOPLE else "cloth"
    with Image.open(FOLDER / folder / f"{name}.jpg") as image:
        return image.convert("RGB").resize(size[::-1], Image.Resampling.LANCZOS)


@cache
def tryon() -> TryOn:
    return TryOn(warp="geometric", segmentation="rembg")


@cache
def person(name: str) -> Person:
    return tryon().prepare_person(photo(name))


@cache
def garment(name: str) -> Garment:
    return tryon().prepare_garment(photo(name))


def other_side(name: str) -> str:
    """``left`` for ``right`` in a name, and the other way round."""
    return name.replace("left", "*").replace("right", "left").replace("*", "right")


def mirrored_labels(parsing: np.ndarray) -> np.ndarray:
    """The label map of a photo that was flipped left to right."""
    table = np.array([labels.ID[other_side(name)] for name in labels.NAMES], np.uint8)
    return np.ascontiguousarray(table[parsing[:, ::-1]])


def mirrored_pose(pose: Pose, width: int) -> Pose:
    """The pose in a photo of this width that was flipped left to right."""

    def flipped(points: np.ndarray) -> np.ndarray:
        return np.float32([width - 1, 0, 0]) + points * np.float32([-1, 1, 1])

    keypoints = pose.keypoints[[KEYPOINT_NAMES.index(other_side(name)) for name in KEYPOINT_NAMES]]
    landmarks = None if pose.landmarks is None else flipped(pose.landmarks[_BLAZEPOSE_MIRROR])
    return Pose(flipped(keypoints), landmarks, pose.people)


# Drawn garments ---------------------------------------------------------------------------------------------

Points = list[tuple[float, float]]


def mirror(points: Points) -> Points:
    """The other half of a symmetric outline, in drawing order."""
    return [(600 - x, y) for x, y in reversed(points)]


def arc(start: tuple[float, float], end: tuple[float, float], depth: float, power: float = 2.0) -> Points:
    """Inner points of a curve that hangs ``depth`` pixels below the line between two points."""
    u = np.linspace(-1, 1, 23)[1:-1]
    x = start[0] + (end[0] - start[0]) * (u + 1) / 2
    y = start[1] + (end[1] - start[1]) * (u + 1) / 2 + depth * (1 - np.abs(u) ** power)
    return list(zip(x.tolist(), y.tolist(), strict=True))


@dataclass(frozen=True)
class Drawing:
    """A drawn garment, 600 x 800, whose places are known.

    Attributes:
        outline: its polygon.
        corners: name -> (x, y), for the wearer's right side, which is on the left of the picture.
        inside: polygon of the back seen through the neck opening; empty where there is none.
    """

    outline: Points
    corners: dict[str, tuple[float, float]]
    inside: Points = ()

    def corner(self, name: str) -> np.ndarray:
        """Place of a corner of either side."""
        x, y = self.corners[name.removeprefix("left_").removeprefix("right_")]
        return np.array([600 - x if name.startswith("left") else x, y], float)

    def alpha(self) -> np.ndarray:
        """float32 (800, 600) in [0, 1]: how much of each pixel is garment."""
        return coverage(self.outline)

    def mask(self) -> np.ndarray:
        return self.alpha() > 0.5

    def cloth(self, colour: tuple[int, int, int], back: tuple[int, int, int] | None = None) -> np.ndarray:
        """float32 (800, 600, 3): the cloth without an edge, the back of another colour where it is seen."""
        picture = np.full((800, 600, 3), colour, np.float32)
        if back is not None and self.inside:
            share = coverage(self.inside)[..., None]
            picture = picture * (1 - share) + np.float32(back) * share
        return picture

    def photo(
        self,
        colour: tuple[int, int, int] | np.ndarray = (52, 84, 150),
        background: tuple[int, int, int] = (245, 245, 245),
        shadow: float = 0.0,
        back: tuple[int, int, int] | None = None,
        noise: float = 1.0,
    ) -> np.ndarray:
        """uint8 (800, 600, 3) photo of the garment.

        Args:
            colour: of the cloth, or a whole picture of it.
            background: colour.
            shadow: how dark the soft shadow beside the garment is, in [0, 1].
            back: colour of the inside of the back.
            noise: standard deviation of the camera's noise.
        """
        alpha = self.alpha()[..., None]
        cloth = colour if isinstance(colour, np.ndarray) else self.cloth(colour, back)
        beside = cv2.warpAffine(alpha[..., 0], np.float32([[1, 0, 3], [0, 1, 6]]), (600, 800))
        shade = cv2.GaussianBlur(beside, (0, 0), 7)
        behind = np.float32(background) * (1 - shadow * shade[..., None])
        picture = behind * (1 - alpha) + cloth * alpha
        picture += np.random.default_rng(0).normal(0, noise, picture.shape) if noise else 0
        return np.clip(np.round(picture), 0, 255).astype(np.uint8)


def coverage(points: Points) -> np.ndarray:
    """float32 (800, 600): how much of each pixel lies inside a polygon."""
    large = np.zeros((3200, 2400), np.uint8)
    # Pixel centres are whole numbers: the corner of the first pixel is at -0.5.
    cv2.fillPoly(large, [np.round((np.array(points) + 0.5) * 4 - 0.5).astype(np.int32)], 255)
    return cv2.resize(large, (600, 800), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def _symmetric(right: Points, neck: Points) -> Points:
    """Outline from the wearer's right half, hem to neck, and what lies between the two neck points."""
    return [*right, *neck, *mirror(right)]


def tshirt() -> Drawing:
    corners = {"neck": (245, 150), "shoulder": (170, 180), "cuff_outer": (75, 310), "cuff_inner": (135, 355),
               "underarm": (185, 275), "hem": (180, 650)}  # fmt: skip
    right = [corners[n] for n in ("hem", "underarm", "cuff_inner", "cuff_outer", "shoulder", "neck")]
    back = arc((245, 150), (355, 150), 10)
    inside = [(245, 150), *back, (355, 150), *arc((355, 150), (245, 150), 62)]
    return Drawing(_symmetric(right, back), corners, inside)


def long_sleeve() -> Drawing:
    corners = {"neck": (245, 130), "shoulder": (170, 160), "cuff_outer": (62, 640), "cuff_inner": (118, 652),
               "underarm": (182, 290), "hem": (178, 650)}  # fmt: skip
    right = [corners[n] for n in ("hem", "underarm", "cuff_inner", "cuff_outer", "shoulder", "neck")]
    back = arc((245, 130), (355, 130), 10)
    inside = [(245, 130), *back, (355, 130), *arc((355, 130), (245, 130), 55)]
    return Drawing(_symmetric(right, back), corners, inside)


def tank_top() -> Drawing:
    corners = {"neck": (246, 120), "shoulder": (212, 120), "underarm": (176, 300), "hem": (170, 650)}
    armhole = [(218, 200), (208, 252)]
    right = [corners["hem"], corners["underarm"], *reversed(armhole), corners["shoulder"], corners["neck"]]
    return Drawing(_symmetric(right, arc((246, 120), (354, 120), 150, 4)), corners)


def trousers() -> Drawing:
    corners = {"waist": (215, 80), "hem_outer": (165, 740), "hem_inner": (262, 740)}
    right = [(300, 330), (262, 740), (165, 740), (190, 240), (215, 80)]
    return Drawing([*right, *mirror(right[1:])], corners | {"crotch": (300, 330)})


def skirt() -> Drawing:
    corners = {"waist": (220, 150), "hem": (130, 640)}
    return Drawing([(130, 640), (220, 150), (380, 150), (470, 640)], corners)


def dress() -> Drawing:
    corners = {"neck": (252, 50), "shoulder": (222, 50), "underarm": (205, 190), "hem": (140, 760)}
    right = [(140, 760), (212, 330), (205, 190), (225, 150), (222, 50), (252, 50)]
    return Drawing(_symmetric(right, arc((252, 50), (348, 50), 90, 3)), corners)


DRAWN = {
    "tshirt": (tshirt, "upper_body"),
    "long_sleeve": (long_sleeve, "upper_body"),
    "tank_top": (tank_top, "upper_body"),
    "trousers": (trousers, "lower_body"),
    "skirt": (skirt, "lower_body"),
    "dress": (dress, "dresses"),
}
