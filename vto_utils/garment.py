"""Reading a garment photo: cut it out, centre it, say what it is and where its parts are."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from PIL import Image

from . import filters, silhouette
from .background import BackgroundRemover
from .errors import InputError, NoPersonError
from .images import load_image
from .pose import PoseEstimator
from .silhouette import Landmarks

CATEGORIES = ("upper_body", "lower_body", "dresses")  # DressCode's words
_LONG_SIDE = 1536  # pixels of a garment picture; finer weave than this does not survive the warp
_MARGIN = 0.06  # white around the garment, as a share of the longer side of the picture


@dataclass(frozen=True)
class Garment:
    """A garment cut out of its photo.

    Attributes:
        image: RGB picture, 3:4, the garment centred on white.
        texture: uint8 HWC RGB, the garment's colours continued past its edge, for sampling without a rim.
        mask: uint8 HW in [0, 255], the garment, edges antialiased.
        category: ``upper_body``, ``lower_body`` or ``dresses``, as used (given or guessed).
        guess: the category that its outline suggests.
        landmarks: named places on the outline, in pixels of ``image``.
        notes: sentences a user should see.
    """

    image: Image.Image
    texture: np.ndarray
    mask: np.ndarray
    category: str
    guess: str
    landmarks: Landmarks
    notes: tuple[str, ...] = field(default_factory=tuple)


class GarmentReader:
    """Cuts out and measures garments. Load once, call many times.

    Args:
        remover: finds the foreground of photos whose background is not plain.
        poses: used to notice that a photo shows a person; ``None`` skips that check.
    """

    def __init__(self, remover: BackgroundRemover | None = None, poses: PoseEstimator | None = None) -> None:
        self.remover = remover or BackgroundRemover()
        self.poses = poses

    def read(self, image: Image.Image | np.ndarray, category: str = "auto", name: str = "The garment photo") -> Garment:
        """Read one garment photo.

        Args:
            image: RGB photo of one garment in front view: flat, on a hanger or a ghost mannequin.
            category: one of :data:`CATEGORIES`, or ``auto`` to go by the outline.
            name: what to call the photo in messages.

        Raises:
            InputError: unknown category, no garment in the photo, or a person in it.
        """
        if category not in (*CATEGORIES, "auto"):
            raise InputError(f"Unknown category '{category}': use one of {', '.join(CATEGORIES)} or auto.")
        photo = np.asarray(load_image(image))
        scale = min(1.0, _LONG_SIDE / max(photo.shape[:2]))
        if scale < 1:
            photo = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        alpha = self.alpha(photo)
        mask = alpha > 0.5
        if mask.sum() < 0.01 * mask.size or min(np.ptp(axis) for axis in np.nonzero(mask)) < 8:
            raise InputError(
                f"{name} shows no garment that stands out from its background: "
                "use a photo of one garment, whole and in front view, on a plain background of another colour."
            )
        self._refuse_person(photo, mask, name)
        texture, mask = _centre(photo, alpha)
        share = mask[..., None].astype(np.float32) / 255
        picture = np.round(texture * share + 255 * (1 - share)).astype(np.uint8)
        guess = guess_category(mask > 127)
        notes = []
        if category == "auto":
            category = guess
        elif category != guess:
            notes.append(f"{name} looks like {guess}, but is used as {category} as asked.")
        binary = mask > 127
        landmarks = (
            silhouette.lower_landmarks(binary)
            if category == "lower_body"
            else silhouette.upper_landmarks(binary, picture)
        )
        return Garment(Image.fromarray(picture), texture, mask, category, guess, landmarks, tuple(notes))

    def alpha(self, photo: np.ndarray) -> np.ndarray:
        """Float32 HW in [0, 1]: how much of each pixel of a uint8 HWC RGB photo is garment.

        A plain background is subtracted, which is exact to the pixel and keeps the gap between a sleeve and
        the body; elsewhere the background remover decides and GrabCut sharpens its edge.
        """
        coarse = self.remover.alpha(Image.fromarray(photo)).astype(np.float32) / 255
        plain = _subtract_background(photo, coarse)
        if plain is not None:
            return plain
        return _sharpen(photo, coarse)

    def _refuse_person(self, photo: np.ndarray, mask: np.ndarray, name: str) -> None:
        if self.poses is None:
            return
        try:
            pose = self.poses.estimate(photo)
        except NoPersonError:
            return
        ys, xs = np.nonzero(mask)
        wide, tall = np.ptp(xs) + 1, np.ptp(ys) + 1
        shoulders = np.linalg.norm(pose.point("left_shoulder") - pose.point("right_shoulder"))
        face = pose.landmarks[:11, :2]
        inside = [mask[int(y), int(x)] for x, y in face if 0 <= x < mask.shape[1] and 0 <= y < mask.shape[0]]
        extent = np.ptp(pose.landmarks[[0, 11, 12, 23, 24], 1])
        headroom = pose.point("nose")[1] - ys.min()
        # A face printed on a shirt is small and sits in its middle; a wearer's head is the top of the cut-out.
        if (
            len(inside) >= 9
            and np.mean(inside) > 0.8
            and shoulders > 0.2 * wide
            and extent > 0.3 * tall
            and headroom < 0.25 * tall
            and pose.confidence("nose") > 0.8
            and _is_skin(photo, face)
        ):
            raise InputError(
                f"{name} shows a person: use a photo of the garment alone, laid flat, on a hanger or cut out."
            )


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


def _subtract_background(photo: np.ndarray, coarse: np.ndarray) -> np.ndarray | None:
    """Cut-out from a plain background, or ``None`` when the background is not plain enough."""
    height, width = photo.shape[:2]
    margin = max(3, round(0.02 * min(height, width)))
    border = np.zeros((height, width), bool)
    border[:margin], border[-margin:], border[:, :margin], border[:, -margin:] = True, True, True, True
    # A garment may touch the border: the background is what most of the border looks like.
    ys, xs = np.nonzero(border)
    step = max(1, len(ys) // 6000)
    ys, xs = ys[::step], xs[::step]
    colours = photo[ys, xs].astype(np.float64)
    near = np.abs(colours - np.median(colours, 0)).max(1) < 28
    if near.mean() < 0.6:
        return None
    plane = np.stack([np.ones_like(xs), xs / width - 0.5, ys / height - 0.5], 1).astype(np.float64)
    fit, *_ = np.linalg.lstsq(plane[near], colours[near], rcond=None)
    noise = np.abs(colours[near] - plane[near] @ fit).max(1)
    if np.percentile(noise, 90) > 10:
        return None
    row, column = (np.arange(height) / height - 0.5)[:, None, None], (np.arange(width) / width - 0.5)[None, :, None]
    background = fit[0] + fit[1] * column + fit[2] * row
    difference = np.abs(photo - background).max(2).astype(np.float32)
    darker = (background - photo).mean(2).astype(np.float32)
    threshold = float(np.clip(3.0 * np.percentile(noise, 90) + 2, 5, 24))
    for level in (threshold, 0.5 * threshold):
        mask = _foreground(photo, difference, darker, coarse, level)
        if not mask.any() or mask.mean() > 0.97:
            continue
        # White on white leaks. What the background remover is sure of and is not quite the background's
        # colour must not be lost. (It is also sure of gaps between sleeve and body, which are.)
        sure = coarse > 0.9
        lost = sure & ~mask
        quite = float(np.percentile(noise, 90))
        leak = lost.sum() > 0.01 * sure.sum() and np.median(difference[lost]) > quite + 1
        if leak and level == threshold:
            continue
        if leak:
            reach = max(2.0, max(height, width) / 200)
            found = lost & (cv2.blur(difference, (5, 5)) > quite + 0.5)
            mask = filters.fill_holes(filters.grow(filters.grow(mask | found, reach), -reach))
        overlap = (mask & (coarse > 0.5)).sum() / max((mask | (coarse > 0.5)).sum(), 1)
        if not sure.any() or overlap > 0.6:
            # Half a pixel inside: the outermost pixels are mixed with the background.
            alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), max(0.8, max(height, width) / 1100))
            return np.clip((alpha - 0.5) * 2.0, 0, 1)
    return None


def _foreground(
    photo: np.ndarray, difference: np.ndarray, darker: np.ndarray, coarse: np.ndarray, threshold: float
) -> np.ndarray:
    """Bool HW: what differs from the background by more than ``threshold``, closed, without its shadow."""
    height, width = difference.shape
    soft = cv2.GaussianBlur(difference, (0, 0), max(height, width) / 1400)
    candidate = soft > threshold
    reach = max(1.0, max(height, width) / 600)
    closed = filters.grow(filters.grow(candidate, reach), -reach)
    # A stripe in the background's own colour may run across a whole sleeve. Closing only upwards and downwards
    # joins what it parts and leaves the upright gap between a sleeve and the body open.
    upright = np.ones((max(3, round(0.035 * height)), 1), np.uint8)
    closed |= cv2.morphologyEx(closed.astype(np.uint8), cv2.MORPH_CLOSE, upright) > 0
    filled = filters.fill_holes(closed)
    holes = filled & ~closed
    # A hole is a real gap (between sleeve and body, inside a strap) if it is as plain as the background.
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(holes.astype(np.uint8), connectivity=4)
    for piece in range(1, count):
        if stats[piece, cv2.CC_STAT_AREA] > 2e-4 * filled.sum():
            inside = pieces == piece
            if np.median(difference[inside]) < 0.5 * threshold and coarse[inside].mean() < 0.6:
                filled &= ~inside
    # The shadow beside a garment differs from the background too, but fades into it: growing the sure parts
    # towards each other along the weakest edges (watershed) stops at the garment's own, strong edge.
    sure = filled & ((soft > max(4 * threshold, 36)) | filters.grow(coarse > 0.8, -0.004 * max(height, width)))
    markers = np.zeros((height, width), np.int32)
    markers[~filters.grow(filled, 1)] = 1
    markers[filters.grow(sure, -1)] = 2
    if (markers == 2).sum() > 0.2 * filled.sum():
        cv2.watershed(np.ascontiguousarray(photo[..., ::-1]), markers)
        inner = filters.fill_holes((markers == 2) | ((markers == -1) & filled)) & filled
        # A white stripe between dark ones is cloth; a shadow in a narrow gap is darker than the background.
        stripe = 0.015 * max(height, width)
        inner |= filters.grow(filters.grow(inner, stripe), -stripe) & filled & (darker < 10)
        filled = inner if inner.sum() > 0.6 * filled.sum() else filled
    return _main_pieces(filled)


def _main_pieces(mask: np.ndarray) -> np.ndarray:
    """The largest piece and others of a tenth of its size or more."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 1:
        return np.zeros_like(mask)
    areas = stats[1:, cv2.CC_STAT_AREA]
    return np.isin(pieces, 1 + np.flatnonzero(areas >= 0.1 * areas.max()))


def _sharpen(photo: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    """Move the soft edge of the background remover to the edge in the photo: GrabCut, then a guided filter."""
    if (coarse > 0.5).sum() < 50:
        return np.zeros_like(coarse)
    height, width = coarse.shape
    scale = min(1.0, 448 / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    guess = cv2.resize(coarse, size, interpolation=cv2.INTER_AREA)
    trimap = np.where(guess > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    band = 0.02 * max(size)
    trimap[filters.grow(guess > 0.9, -band)] = cv2.GC_FGD
    trimap[~filters.grow(guess > 0.1, band)] = cv2.GC_BGD
    if (trimap == cv2.GC_BGD).any() and (trimap == cv2.GC_FGD).any():
        cv2.setRNGSeed(0)
        cv2.grabCut(small, trimap, None, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
        guess = np.isin(trimap, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    guess = _main_pieces(guess > 0.5).astype(np.float32)
    large = cv2.resize(guess, (width, height), interpolation=cv2.INTER_LINEAR)
    follow = filters.GuidedFilter(photo.astype(np.float32) / 255, max(2, round(max(height, width) / 250)), 1e-4)
    return np.clip((follow(large) - 0.3) * 1.6, 0, 1).astype(np.float32)


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
