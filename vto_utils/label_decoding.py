"""From whatever holds a label map - picture, palette, colours, channels - to its ids, exactly or not at all."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .errors import InputError
from .images import load_image
from .labels import palette

HIGHEST = 20  # of all schemes: the neck of CP-VTON+
_FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "BMP", "GIF", "TIFF", "PPM")
_TRANSPARENT = ("RGBA", "LA", "PA", "RGBa", "La")

# Colours of VITON-HD's files by id, a shade darker than those that CIHP's and LIP's own programs draw with.
_VITON_HD = (
    (0, 0, 0), (128, 0, 0), (254, 0, 0), (0, 85, 0), (169, 0, 51), (254, 85, 0), (0, 0, 85), (0, 119, 220),
    (85, 85, 0), (0, 85, 85), (85, 51, 0), (52, 86, 128), (0, 128, 0), (0, 0, 254), (51, 169, 220), (0, 254, 254),
    (85, 254, 169), (169, 254, 85), (254, 254, 0), (254, 169, 0),
)  # fmt: skip
_CIHP = tuple(tuple({169: 170, 220: 221, 254: 255}.get(value, value) for value in colour) for colour in _VITON_HD)

#: Schemes with a number of ids of their own: so many channels tell which one it is.
_CHANNELS = {20: None, 14: "acgpn", 18: "atr", 21: "lip"}


class LabelMapError(InputError):
    """One label map that cannot be used; its text is ``NAME ONE: REMEDY.``

    Attributes:
        many: what is wrong, said of several maps, without the figures of this one.
        remedy: what to do about it.
    """

    def __init__(self, name: str, one: str, many: str, remedy: str) -> None:
        super().__init__(f"{name} {one}: {remedy}.")
        self.many, self.remedy = many, remedy


def load_map(path: Path, name: str) -> Any:
    """The image or array in a file."""
    if path.suffix.lower() in (".npy", ".npz"):
        return _load_array(path, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Image.init()  # registers every format that this Pillow has
            with open(path, "rb") as file:
                image = Image.open(file, formats=[kind for kind in _FORMATS if kind in Image.OPEN])
                image.load()
            return image
    except Exception as error:  # decoders raise almost anything on broken data
        load_image(path)  # knows what to say
        raise InputError(f"{name} is not an image that holds ids ({error}): save label maps as PNG.") from error


def _load_array(path: Path, name: str) -> np.ndarray:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            if len(loaded.files) == 1:
                return loaded[loaded.files[0]]
            held = ", ".join(loaded.files[:5])
    except Exception as error:  # among others OSError, ValueError (pickles), BadZipFile
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise InputError(
            f"{name} cannot be read as a numpy array ({reason}): write it with numpy.save, as plain numbers."
        ) from error
    raise LabelMapError(
        name, f"holds {len(loaded.files)} arrays ({held})", "hold several arrays", "save the label map alone in a file"
    )


def decode_ids(source: Any, name: str) -> tuple[np.ndarray, str | None]:
    """(H, W) whole numbers, not yet checked, and the scheme that the number of channels tells."""
    if isinstance(source, Image.Image):
        return _from_image(source, name), None
    if not isinstance(source, np.ndarray):
        kind = type(source).__name__
        raise InputError(f"{name} is a {kind}: give a path, a PIL image or a numpy array.")
    array = source[0] if source.ndim == 4 and source.shape[0] == 1 else source
    if array.ndim == 3 and 1 in (array.shape[0], array.shape[2]):
        array = array[0] if array.shape[0] == 1 else array[:, :, 0]
    if array.ndim == 2 and array.size:
        return _whole(array, name), None
    if array.ndim == 3 and array.size:
        if array.dtype == np.uint8 and 3 in (array.shape[0], array.shape[2]) and array.max() > 1:
            return _from_colours(array if array.shape[2] == 3 else array.transpose(1, 2, 0), name), None
        return _from_channels(array if array.shape[2] < array.shape[0] else array.transpose(1, 2, 0), name)
    raise LabelMapError(
        name,
        f"is an array of shape {list(source.shape)}",
        "are arrays of a shape no label map has",
        "give height x width ids, or one channel per id",
    )


def _from_image(image: Image.Image, name: str) -> np.ndarray:
    mode = image.mode
    if image.format in ("JPEG", "MPO"):
        raise LabelMapError(
            name,
            "is a JPEG, which changes ids along every edge",
            "are JPEGs, which change ids along every edge",
            "save label maps as PNG when they are made, for a JPEG cannot be repaired",
        )
    if mode in _TRANSPARENT:
        if np.asarray(image.convert("RGBA").getchannel("A")).min() < 255:
            raise LabelMapError(
                name,
                f"is partly transparent (mode {mode}), which ids cannot be",
                "are partly transparent, which ids cannot be",
                "save the ids themselves as a grey or palette PNG without transparency",
            )
        image = image.convert("L" if mode in ("LA", "La") else "RGB")
    if image.mode == "P":
        return _from_palette(image, name)
    if image.mode == "RGB":
        return _from_colours(np.asarray(image), name)
    if image.mode in ("1", "L", "F") or image.mode.startswith("I"):
        return _whole(np.asarray(image), name)
    raise LabelMapError(
        name,
        f"is a {mode} picture, not ids",
        f"are {mode} pictures, not ids",
        "save the ids themselves as a grey or palette PNG",
    )


def _whole(array: np.ndarray, name: str) -> np.ndarray:
    """The array itself where it holds whole numbers, whatever their type."""
    if array.dtype.kind in "bui":
        return array.astype(np.uint8) if array.dtype == bool else array
    if array.dtype.kind == "f" and (array == np.rint(array)).all() and np.abs(array).max() <= 65535:
        return array.astype(np.int32)
    kind = f"values of type {array.dtype}" if array.dtype.kind != "f" else "fractions"
    raise LabelMapError(
        name, f"holds {kind}, not ids", "hold numbers that are not whole", "save the ids as whole numbers, 0 to 19"
    )


def _from_palette(image: Image.Image, name: str) -> np.ndarray:
    """Ids of a palette picture: its indices, or by their colours where those are known and say something else."""
    indices = np.asarray(image)
    used = np.unique(indices)
    table = np.zeros((256, 3), np.uint8)
    held = np.asarray(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    table[: len(held)] = held
    if len(np.unique(table[used], axis=0)) < len(used):
        return indices  # two ids have one colour (no palette at all: all are black), so it does not tell them
    for known in _palettes():
        for colours in (known, known[:, ::-1]):  # the colours may be wrong (BGR) and the ids right
            if used.max() < len(known) and (table[used] == colours[used]).all():
                return indices
    found = _decode(table[used][None])
    if found is None and max(int(n) for n in used if n != 255 or len(used) == 1) > HIGHEST:
        raise LabelMapError(
            name,
            f"is a palette picture with colours of its own, whose {len(used)} indices (up to {used.max()}) are no ids",
            "are palette pictures with colours of their own, whose indices are no ids",
            "give the parser's own file, saved without converting its colours",
        )
    if found is None or found.max() > HIGHEST:
        return indices
    ids = np.zeros(256, np.uint8)
    ids[used] = found[0]
    return ids[indices]


def _from_colours(rgb: np.ndarray, name: str) -> np.ndarray:
    """Ids of a coloured picture (H, W, 3) whose every colour belongs to one known palette."""
    if (rgb[:, :, 0] == rgb[:, :, 1]).all() and (rgb[:, :, 0] == rgb[:, :, 2]).all():
        return rgb[:, :, 0]  # ids saved in three equal channels
    ids = _decode(rgb)
    if ids is not None and ids.max() <= HIGHEST:
        return ids.astype(np.uint8)
    swapped = _decode(rgb[:, :, ::-1])
    if swapped is not None and swapped.max() <= HIGHEST:
        raise LabelMapError(
            name,
            "has the colours of a label map with red and blue exchanged",
            "have the colours of label maps with red and blue exchanged",
            "exchange the channels (OpenCV's are BGR), or save the ids themselves",
        )
    remedy = "give the ids themselves as a grey or palette PNG, straight from the parser"
    colours = len(np.unique(_packed(rgb)))
    sample = rgb[:: max(1, rgb.shape[0] // 128), :: max(1, rgb.shape[1] // 128)].reshape(-1, 1, 3).astype(int)
    known = np.concatenate([table[: HIGHEST + 1] for table in _palettes()]).astype(int)
    near = (np.abs(sample - known).max(2).min(1) <= 12).mean()
    if colours > 64 and near > 0.8:
        one = f"is an RGB picture of labels whose {colours} colours were mixed by JPEG or resizing"
        many = "are RGB pictures of labels whose colours were mixed by JPEG or resizing"
    elif colours > 64:
        one = f"is an RGB picture with {colours} colours, a photo or drawing, not ids"
        many = "are RGB pictures, photos or drawings, not ids"
    else:
        one = f"is an RGB picture in {colours} colours that no palette known here has, not ids"
        many = "are RGB pictures in colours that no palette known here has, not ids"
    raise LabelMapError(name, one, many, remedy)


def _from_channels(array: np.ndarray, name: str) -> tuple[np.ndarray, str | None]:
    """Ids of (H, W, C): the highest channel of each pixel."""
    channels = array.shape[2]
    if channels not in _CHANNELS or array.dtype.kind not in "buif":
        raise LabelMapError(
            name,
            f"has {channels} channels of {array.dtype}",
            "have a number of channels that no scheme has",
            "give one id per pixel, or one channel per id: 20 for CIHP or LIP, 18 for ATR, 14 for ACGPN",
        )
    if array.dtype.kind != "f" or ((array == 0) | (array == 1)).all():
        wrong = np.count_nonzero(array, axis=2) != 1
        if wrong.any():
            share = 100 * wrong.mean()
            raise LabelMapError(
                name,
                f"is not one-hot: {share:.3g} % of its pixels are in no channel or in several",
                "are not one-hot: some pixels are in no channel or in several",
                "include the background as channel 0, and put each pixel in one channel",
            )
    return array.argmax(2), _CHANNELS[channels]


def _palettes() -> tuple[np.ndarray, ...]:
    return palette(), np.array(_VITON_HD, np.uint8), np.array(_CIHP, np.uint8)


def _packed(rgb: np.ndarray) -> np.ndarray:
    return rgb.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)


def _decode(rgb: np.ndarray) -> np.ndarray | None:
    """(H, W) ids by colour, or None where no palette holds all colours."""
    packed = _packed(rgb)
    for table in _palettes():
        keys = _packed(table)
        order = np.argsort(keys)
        place = np.minimum(np.searchsorted(keys[order], packed), len(keys) - 1)
        ids = order[place]
        if (keys[ids] == packed).all():
            return ids
    return None
