"""Reading a garment photo: cut it out, centre it, say what it is and where its parts are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from . import filters, silhouette
from .background import BackgroundRemover
from .errors import InputError, NoPersonError
from .garment_cutout import cut_out
from .images import load_image
from .pose import PoseEstimator
from .silhouette import Landmarks

if TYPE_CHECKING:
    from .garment_reading import GarmentNetReader, Reading

CATEGORIES = ("upper_body", "lower_body", "dresses")  # DressCode's words
_LONG_SIDE = 1536  # pixels of a garment picture; finer weave than this does not survive the warp
_CERTAIN = 0.85  # chance from which the network's word on what a photo shows is enough
_POSSIBLE = 0.25  # chance of a person from which the pose is asked
_CATEGORY_SURE = 0.7  # chance of a category below which the outline is asked
_MARGIN = 0.06  # white around the garment, as a share of the longer side of the picture


@dataclass(frozen=True)
class Garment:
    """A garment cut out of its photo.

    Attributes:
        image: RGB picture, 3:4, the garment centred on white.
        texture: uint8 HWC RGB, the garment's colours continued past its edge, for sampling without a rim.
        mask: uint8 HW in [0, 255], the garment, edges antialiased.
        category: ``upper_body``, ``lower_body`` or ``dresses``, as used (given or guessed).
        guess: the category that the photo suggests.
        landmarks: named places on the outline, in pixels of ``image``.
        notes: sentences a user should see.
        reason: why ``category`` is used, as words that can follow it and a comma: as asked, told by the garment
            network, or guessed from the outline.
    """

    image: Image.Image
    texture: np.ndarray
    mask: np.ndarray
    category: str
    guess: str
    landmarks: Landmarks
    notes: tuple[str, ...] = field(default_factory=tuple)
    reason: str = "as asked"

    @property
    def front(self) -> np.ndarray:
        """uint8 HW, the mask without the inside of the back that a flat garment shows in its neck opening."""
        line = self.landmarks.neckline
        if not len(line):
            return self.mask
        opening = np.zeros(self.mask.shape, np.uint8)
        polygon = np.concatenate([line, [[line[-1][0], -5], [line[0][0], -5]]])
        cv2.fillPoly(opening, [np.round(polygon).astype(np.int32)], 255)
        opening = cv2.GaussianBlur(opening, (0, 0), max(0.7, self.mask.shape[0] / 1200))
        return np.minimum(self.mask, 255 - opening)

    @property
    def sleeves(self) -> np.ndarray:
        """bool HW, what of the mask lies beyond the underarms; nothing where no sleeves were told apart."""
        marks = self.landmarks
        if self.category == "lower_body" or len(marks.sleeves) != 2:
            return np.zeros(self.mask.shape, bool)
        column = np.arange(self.mask.shape[1])
        aside = (column < marks["right_underarm"][0]) | (column > marks["left_underarm"][0])
        return (self.mask > 127) & aside


class GarmentReader:
    """Cuts out and measures garments. Load once, call many times.

    Args:
        remover: finds the foreground of photos whose background is not plain.
        poses: used to notice that a photo shows a person; ``None`` skips that check.
        network: says where the garment is, what it is and whether it is one; ``"auto"`` takes the one that comes
            with the package, ``None`` goes by colours and outline alone.
    """

    def __init__(
        self,
        remover: BackgroundRemover | None = None,
        poses: PoseEstimator | None = None,
        network: GarmentNetReader | str | None = "auto",
    ) -> None:
        self.remover = remover or BackgroundRemover()
        self.poses = poses
        self.network = _own_network() if isinstance(network, str) else network

    def read(self, image: Image.Image | np.ndarray, category: str = "auto", name: str = "The garment photo") -> Garment:
        """Read one garment photo.

        Args:
            image: RGB photo of one garment in front view: flat, on a hanger or a ghost mannequin.
            category: one of :data:`CATEGORIES`, or ``auto`` to go by what the photo shows.
            name: what to call the photo in messages.

        Raises:
            InputError: unknown category; no garment, several garments or a person in the photo.
        """
        if category not in (*CATEGORIES, "auto"):
            raise InputError(f"Unknown category '{category}': use one of {', '.join(CATEGORIES)} or auto.")
        photo = np.asarray(load_image(image))
        scale = min(1.0, _LONG_SIDE / max(photo.shape[:2]))
        if scale < 1:
            photo = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        reading = None if self.network is None else self.network.read(photo)
        alpha = self._alpha(photo, reading)
        mask = alpha > 0.5
        if mask.sum() < 0.01 * mask.size or min(np.ptp(axis) for axis in np.nonzero(mask)) < 8:
            raise InputError(
                f"{name} shows no garment that stands out from its background: "
                "use a photo of one garment, whole and in front view, on a plain background of another colour."
            )
        self._refuse_person(photo, mask, reading, name)
        if reading is not None and reading.chance("several") > _CERTAIN:
            raise InputError(
                f"{name} shows several garments: use a photo of one garment alone, whole and in front view."
            )
        texture, mask = _centre(photo, alpha)
        share = mask[..., None].astype(np.float32) / 255
        picture = np.round(texture * share + 255 * (1 - share)).astype(np.uint8)
        guess, reason = _suggest(mask > 127, reading)
        notes = []
        if category == "auto":
            category = guess
        else:
            reason = "as asked"
            if category != guess:
                notes.append(f"{name} looks like {guess}, but is used as {category} as asked.")
        binary = mask > 127
        landmarks = (
            silhouette.lower_landmarks(binary)
            if category == "lower_body"
            else silhouette.upper_landmarks(binary, picture)
        )
        return Garment(Image.fromarray(picture), texture, mask, category, guess, landmarks, tuple(notes), reason)

    def alpha(self, photo: np.ndarray) -> np.ndarray:
        """Float32 HW in [0, 1]: how much of each pixel of a uint8 HWC RGB photo is garment.

        How is told in :mod:`vto_utils.garment_cutout`.
        """
        return self._alpha(photo, None if self.network is None else self.network.read(photo))

    def _alpha(self, photo: np.ndarray, reading: Reading | None) -> np.ndarray:
        coarse = self.remover.alpha(Image.fromarray(photo)).astype(np.float32) / 255
        return cut_out(photo, coarse, None if reading is None else reading.mask)

    def _refuse_person(self, photo: np.ndarray, mask: np.ndarray, reading: Reading | None, name: str) -> None:
        chance = 1.0 if reading is None else reading.chance("person")
        if reading is not None and chance > _CERTAIN:
            person = True
        else:
            # Brown cloth with a round collar can look like a head to the pose alone.
            person = self.poses is not None and chance > _POSSIBLE and self._poses_as_person(photo, mask)
        if person:
            raise InputError(
                f"{name} shows a person: use a photo of the garment alone, laid flat, on a hanger or cut out."
            )

    def _poses_as_person(self, photo: np.ndarray, mask: np.ndarray) -> bool:
        """Whether the pose finds a head with shoulders where a wearer's would be."""
        try:
            pose = self.poses.estimate(photo)
        except NoPersonError:
            return False
        ys, xs = np.nonzero(mask)
        wide, tall = np.ptp(xs) + 1, np.ptp(ys) + 1
        shoulders = np.linalg.norm(pose.point("left_shoulder") - pose.point("right_shoulder"))
        face = pose.landmarks[:11, :2]
        inside = [mask[int(y), int(x)] for x, y in face if 0 <= x < mask.shape[1] and 0 <= y < mask.shape[0]]
        extent = np.ptp(pose.landmarks[[0, 11, 12, 23, 24], 1])
        headroom = pose.point("nose")[1] - ys.min()
        # A face printed on a shirt is small and sits in its middle; a wearer's head is the top of the cut-out.
        return bool(
            len(inside) >= 9
            and np.mean(inside) > 0.8
            and shoulders > 0.2 * wide
            and extent > 0.3 * tall
            and headroom < 0.25 * tall
            and pose.confidence("nose") > 0.8
            and _is_skin(photo, face)
        )


def _own_network() -> GarmentNetReader | None:
    """The network that comes with the package; None where its file was left out."""
    from .garment_reading import WEIGHTS, GarmentNetReader

    return GarmentNetReader.load() if WEIGHTS.is_file() else None


def _suggest(mask: np.ndarray, reading: Reading | None) -> tuple[str, str]:
    """Category of a garment (bool HW, front view) and the words that say where it is from."""
    outline = guess_category(mask)
    if reading is None:
        return outline, "guessed from its outline"
    sure = round(100 * float(reading.categories.max()))
    if reading.categories.max() > _CATEGORY_SURE:
        return reading.category, f"told by the garment network ({sure} % sure)"
    if outline == reading.category:
        return outline, f"guessed from its outline (the garment network agrees, {sure} % sure)"
    return outline, f"guessed from its outline (the garment network would say {reading.category}, {sure} % sure)"


def _is_skin(photo: np.ndarray, face: np.ndarray) -> bool:
    """Whether most of the area between eyes and mouth has a colour that skin of any tone can have."""
    hull = cv2.convexHull(np.round(face).astype(np.int32))
    area = np.zeros(photo.shape[:2], np.uint8)
    cv2.fillConvexPoly(area, hull, 1)
    pixels = photo[area > 0].astype(np.float32)
    if len(pixels) < 12:
        return False
    lab = cv2.cvtColor(pixels[None] / 255, cv2.COLOR_RGB2LAB)[0]
    # Skin of every tone lies in one narrow sector of hue: red to yellow, never neutral, never vivid.
    hue = np.degrees(np.arctan2(lab[:, 2], lab[:, 1]))
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    return bool(((hue > 15) & (hue < 85) & (chroma > 6) & (chroma < 48)).mean() > 0.6)


def _centre(photo: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Crop to the garment and centre it in a 3:4 picture, without resampling: its texture and its mask."""
    ys, xs = np.nonzero(alpha > 0.5)
    x0, x1, y0, y1 = int(xs.min()), int(xs.max()) + 1, int(ys.min()), int(ys.max()) + 1
    wide, tall = x1 - x0, y1 - y0
    inner = 1 - 2 * _MARGIN
    height = max(tall / inner, wide / inner * 4 / 3)
    height, width = 4 * max(1, round(height / 4)), 3 * max(1, round(height / 4))
    left, top = (width - wide) // 2, (height - tall) // 2
    rim = min(8, left, top)
    y, x = slice(max(y0 - rim, 0), y1 + rim), slice(max(x0 - rim, 0), x1 + rim)
    colours, alpha = _clean_rim(photo[y, x].astype(np.float32), alpha[y, x])
    picture = np.full((height, width, 3), 255, np.float32)
    mask = np.zeros((height, width), np.float32)
    to_y, to_x = (
        slice(top - (y0 - y.start), top - (y0 - y.start) + colours.shape[0]),
        slice(left - (x0 - x.start), left - (x0 - x.start) + colours.shape[1]),
    )
    picture[to_y, to_x] = colours
    mask[to_y, to_x] = alpha
    return np.clip(np.round(picture), 0, 255).astype(np.uint8), np.round(mask * 255).astype(np.uint8)


def _clean_rim(photo: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take background and shadow out of a cut-out's outermost pixels.

    A rim pixel is a mixture of the cloth inside it and the background outside it; how much of each is read
    from its colour. The cloth's own colours then continue outwards, so that no rim is ever sampled.

    Args:
        photo: float32 HWC RGB in [0, 255].
        alpha: float32 HW in [0, 1].

    Returns:
        Colours float32 HWC and the sharpened alpha.
    """
    band = max(1.5, 0.004 * max(alpha.shape))
    core = filters.grow(alpha > 0.98, -band)
    if core.sum() < 100:
        return filters.fill(photo, (alpha > 0.98).astype(np.float32)), alpha
    inner = filters.fill(photo, core.astype(np.float32))
    outer = filters.fill(photo, (~filters.grow(alpha > 0.02, 2 * band)).astype(np.float32))
    apart = inner - outer
    contrast = (apart**2).sum(2)
    mixture = ((photo - outer) * apart).sum(2) / np.maximum(contrast, 1.0)
    cloth = np.clip((mixture - 0.3) / 0.4, 0, 1)
    # Cloth of the background's colour cannot be judged this way.
    cloth = np.where(contrast > 30**2, cloth, 1).astype(np.float32)
    alpha = np.where(core, alpha, np.minimum(alpha, cv2.GaussianBlur(cloth, (0, 0), 0.6)))
    solid = core | ((alpha > 0.98) & (mixture > 0.85) & (contrast > 30**2))
    return filters.fill(photo, solid.astype(np.float32)), alpha


def guess_category(mask: np.ndarray) -> str:
    """Category of a garment from its outline alone (bool HW, front view)."""
    mask = filters.largest_component(mask)
    ys, xs = np.nonzero(mask)
    top, tall, wide = int(ys.min()), int(np.ptp(ys)) + 1, int(np.ptp(xs)) + 1
    centre = (xs.min() + xs.max()) / 2
    crotch = silhouette.crotch_point(mask)
    rows = mask[top:]
    head = rows[: max(2, int(0.05 * tall))].any(0).sum()
    flat_top = rows[int(0.03 * tall)].sum() / max(head, 1) > 0.85
    if crotch is not None:
        # Between two hanging sleeves there is a body; between two legs there is nothing.
        below = int(crotch[1] + 0.3 * (ys.max() - crotch[1]))
        row = np.flatnonzero(np.diff(np.concatenate([[0], mask[below].astype(np.int8), [0]])))
        runs = len(row) // 2
        if runs == 2 and abs(crotch[0] - centre) < 0.2 * wide:
            return "lower_body"
    hull = cv2.convexHull(np.stack([xs, ys], 1).astype(np.int32))
    solidity = mask.sum() / max(cv2.contourArea(hull), 1)
    upper = rows[int(0.08 * tall)].sum()
    lower = rows[int(0.9 * tall)].sum()
    # A skirt widens evenly from the waist; a halter top is wide at once.
    even = rows[int(0.25 * tall)].sum() < upper + 0.5 * (lower - upper) + 0.05 * wide
    if flat_top and even and solidity > 0.93 and lower > 1.08 * upper and rows[int(0.03 * tall)].sum() > 0.3 * wide:
        return "lower_body"
    body = np.median([rows[int(t * tall)].sum() for t in (0.3, 0.4, 0.5)])
    return "dresses" if tall > 2.5 * min(body, wide) else "upper_body"
