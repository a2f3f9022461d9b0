"""Files of data sets as arrays of the wanted size; every error names the file.

Pictures of a data set are opened some hundred times a second, so JPEG files are decoded at a fraction of their
size where that is enough, and a label map that is plainly made of ids is not looked at any further.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from .. import filters
from ..errors import InputError
from ..label_maps import read_label_map
from ..label_schemes import SCHEMES, to_cihp
from ..pose import from_openpose_json
from .motion import Fit

_SAME_SHAPE = 0.02
_OUTSIDE = 1.1  # share of the picture's side beyond which a key point belongs to another picture
_DRESSCODE = (512, 384)  # height, width that DressCode's key points are counted in, whatever the picture's size
#: Masks are often kept as JPEG, which leaves faint noise beside their edges.
_CLEANED = np.clip((np.arange(256) - 16.0) * 255 / 223 + 0.5, 0, 255).astype(np.uint8)
_NOTHING = 10.0  # grey levels by which a garment differs from its white background


def open_image(path: Path) -> Image.Image:
    """The picture, not decoded yet.

    Raises:
        InputError: there is no such file, or it is no picture.
    """
    try:
        return Image.open(path)
    except FileNotFoundError:
        raise InputError(f"{path} is missing: copy it again, or remove its pairs.") from None
    except OSError as error:
        raise _unreadable(path, error) from error


def read_picture(path: Path, size: tuple[int, int], fill: int = 255) -> tuple[np.ndarray, tuple[int, int]]:
    """A colour picture, (H, W, 3) uint8 RGB of ``size``, and its own (height, width)."""
    array, own = _decoded(path, "RGB", size)
    return Fit(own, size).picture(array, fill), own


def read_mask(path: Path, size: tuple[int, int]) -> np.ndarray:
    """A mask, (H, W) uint8 0..255 of ``size``, soft where it is made smaller; files of 0 and 1 are stretched."""
    array, own = _decoded(path, "L", size)
    if array.max(initial=0) == 1:
        array = array * np.uint8(255)
    return cv2.LUT(Fit(own, size).picture(array, 0), _CLEANED)


def _decoded(path: Path, mode: str, size: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
    with open_image(path) as image:
        own = image.height, image.width
        inner = Fit(own, size).inner
        try:
            image.draft(mode, inner[::-1])  # of JPEG files: not below this size
            if mode == "L" and image.mode in ("1", "P", "I;16", "I"):
                array = _mask_values(image)
            else:
                array = np.asarray(image if image.mode == mode else image.convert(mode))
        except (OSError, ValueError, SyntaxError) as error:
            raise _unreadable(path, error) from error
    return array, own


def _mask_values(image: Image.Image) -> np.ndarray:
    """Values of a mask in a mode for which ``convert("L")`` would take colours or cut off."""
    if image.mode == "P":
        values = np.asarray(image)
        return values if values.max(initial=0) <= 1 else np.asarray(image.convert("L"))
    return np.where(np.asarray(image) > 0, 255, 0).astype(np.uint8)


def read_labels(
    path: Path, size: tuple[int, int], scheme: str, photo: tuple[int, int], plain: bool = True
) -> np.ndarray:
    """A label map as (H, W) uint8 CIHP-20 ids of ``size``.

    Args:
        path: of the file.
        size: (height, width) wanted.
        scheme: of its ids, a name in :data:`vto_utils.label_schemes.SCHEMES`.
        photo: (height, width) of the photo it belongs to; another size of the same shape will do.
        plain: take a PNG's values for ids where the scheme has them all, without asking its palette.

    Raises:
        InputError: what is wrong with the file, in one sentence.
    """
    with open_image(path) as image:
        own, plain = (image.height, image.width), plain and image.mode in ("L", "P") and image.format == "PNG"
        try:
            ids = np.asarray(image) if plain else None
        except (OSError, ValueError, SyntaxError) as error:
            raise _unreadable(path, error) from error
    if abs(own[0] * photo[1] / (own[1] * photo[0]) - 1) > _SAME_SHAPE:
        raise InputError(
            f"{path} is {own[0]} high and {own[1]} wide, but its photo {photo[0]} high and {photo[1]} wide: "
            "parse the photo itself, or crop both in the same way."
        )
    table, fit = SCHEMES[scheme], Fit(own, size)
    if ids is not None and set(np.flatnonzero(cv2.calcHist([ids], [0], None, [256], [0, 256]))) <= {
        *table.to_cihp,
        *table.joins,
    }:
        small = fit.labels(ids)
        return small if scheme == "cihp" else to_cihp(small, scheme)
    return fit.labels(read_label_map(path, scheme=scheme))  # decodes what it can, and explains what it cannot


def read_openpose(path: Path, photo: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """(18, 3) float32 key points in pixels of ``size`` from an OpenPose file of a photo (height, width).

    A file that holds nobody gives points that are all unknown.

    Raises:
        InputError: not such a file, or its points belong to a picture of another size.
    """
    text = _text(path)
    try:
        if json.loads(text).get("people") == []:
            return np.zeros((18, 3), np.float32)
        points = from_openpose_json(text).keypoints
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (ValueError, AttributeError) as error:
        raise InputError(f"{path} is not an OpenPose file ({error}): estimate the pose again.") from error
    return _fitted(path, np.asarray(points, np.float32), photo, size)


def read_dresscode_points(path: Path, photo: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """(18, 3) float32 key points in pixels of ``size`` from a file of DressCode's, ``keypoints`` 18 x 4.

    Its positions are pixels of a picture 512 high and 384 wide whatever the photo's own size is; the third number
    is the confidence. Raises as :func:`read_openpose`.
    """
    try:
        rows = np.asarray(json.loads(_text(path))["keypoints"], np.float32).reshape(-1, 4)
        if len(rows) != 18:
            raise ValueError(f"{len(rows)} points instead of 18")
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is not a key point file of DressCode (expected 'keypoints', 18 rows of 4; {error}): copy it again."
        ) from error
    known = (rows[:, :2] > 1).all(1)
    confidence = np.where(rows[:, 2] > 0, np.clip(rows[:, 2], 0, 1), 1)
    points = np.concatenate([rows[:, :2], np.where(known, confidence, 0)[:, None]], 1).astype(np.float32)
    points = _fitted(path, points, _DRESSCODE, _DRESSCODE)
    points[:, :2] *= np.float32([photo[1] / _DRESSCODE[1], photo[0] / _DRESSCODE[0]])
    return _fitted(path, points, photo, size)


def garment_mask(picture: np.ndarray) -> np.ndarray:
    """Mask of a garment on a plain light background, for data sets that bring none.

    Args:
        picture: (H, W, 3) uint8 RGB.

    Returns:
        (H, W) uint8, 0 or 255: what differs from the corners' colour, holes closed, specks left out.
    """
    reach = max(1, min(picture.shape[:2]) // 32)
    corners = [picture[y, x].reshape(-1, 3) for y in (slice(reach), slice(-reach, None))
               for x in (slice(reach), slice(-reach, None))]  # fmt: skip
    ground = np.median(np.concatenate(corners), axis=0)
    apart = np.abs(picture.astype(np.float32) - ground.astype(np.float32)).max(2)
    inside = cv2.GaussianBlur(apart, (0, 0), 0.7) > _NOTHING
    inside = filters.fill_holes(cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3))) > 0)
    count, pieces, facts, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8))
    area = facts[:, cv2.CC_STAT_AREA]
    kept = [n for n in range(1, count) if area[n] > 0.02 * area[1:].max()]  # two shoulder straps may be apart
    inside = np.isin(pieces, kept)
    # The lens and JPEG carry the garment's colour a little over its edge: there it ends where half of it is left.
    rim = inside & ~filters.grow(inside, -2)
    inside &= ~(rim & (apart < 0.5 * cv2.dilate(apart, np.ones((5, 5)))))
    return np.where(inside, 255, 0).astype(np.uint8)


def _fitted(path: Path, points: np.ndarray, photo: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    known = points[points[:, 2] > 0.1, :2]
    if len(known) and (np.median(known, 0) > _OUTSIDE * np.float32(photo[::-1])).any():
        x, y = known.max(0)
        raise InputError(
            f"{path} has key points up to x {x:.0f} and y {y:.0f}, but its photo is {photo[0]} high and {photo[1]} "
            "wide: they belong to a picture of another size; estimate the pose again, or multiply them."
        )
    return Fit(photo, size).points(points)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path} is missing: copy it again, or remove its pairs.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or str(error).split("'")[0].strip() or type(error).__name__
    return InputError(f"{path} cannot be read ({reason}): copy it again, or remove its pairs.")
