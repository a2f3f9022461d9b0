"""Photos in, photos out: the one place where files, Pillow images, arrays and tensors meet.

Convention: an image at a border is a ``PIL.Image`` in mode RGB or a uint8 array [H, W, 3] in RGB order,
0..255; inside a network it is a float32 tensor [B, 3, H, W] in [-1, 1], and a mask is [B, 1, H, W] in [0, 1].
``size`` is always (height, width). Only Pillow's own ``resize`` and ``Image.size`` speak (width, height).
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from .errors import InputError, OutputError
from .files import atomic_path

if TYPE_CHECKING:
    import torch

MIN_SIDE = 32  # pixels; below this there is nothing to see
MAX_PIXELS = 64_000_000
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")  # what save_image writes

# Formats a camera, a phone or a shop produces. Pillow knows more, among them some that start other programs
# (EPS) or take almost any bytes for an image (TGA). HEIF is known only where a plug-in teaches it to Pillow.
_READABLE = ("JPEG", "MPO", "PNG", "WEBP", "AVIF", "BMP", "DIB", "GIF", "TIFF", "JPEG2000", "PPM", "HEIF")
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_ORIENTATION_TAG = 0x0112
_ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


# Reading ------------------------------------------------------------------------------------------


def load_image(source: Any, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Read a photo, upright and in RGB, from whatever holds it.

    Args:
        source: a path, the bytes of an image file, a ``PIL.Image`` in any mode, or an array [H, W],
            [H, W, 1], [H, W, 3] or [H, W, 4] in RGB order: uint8, bool, uint16 (0..65535) or float (0..1 or
            0..255).
        max_pixels: refuse larger photos; for a file this is read from its header, before decoding.

    Returns:
        A new RGB image. The camera's orientation tag is applied, transparency is laid on white, 16 bits
        become 8, an embedded colour profile is converted to sRGB, and of an animation the first frame is
        taken. No metadata (place, date, camera) goes along.

    Raises:
        InputError: one sentence that names the source, what is wrong with it and what to do.
    """
    if isinstance(source, Image.Image):
        return _finish(source, "The given image", max_pixels)
    if isinstance(source, np.ndarray):
        _check_size(source.shape[1::-1] if source.ndim >= 2 else (0, 0), "The given array", max_pixels)
        return _finish(_from_array(source, "The given array"), "The given array", max_pixels)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _decode(io.BytesIO(source), "The given data", max_pixels)
    if isinstance(source, (str, os.PathLike)):
        return _read_file(Path(os.fsdecode(source)).expanduser(), max_pixels)
    kind = type(source).__name__
    raise InputError(f"Cannot read an image from a {kind}: give a path, bytes, a PIL image or a numpy array.")


def _read_file(path: Path, max_pixels: int) -> Image.Image:
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{path} is a folder, not a photo: give the name of one image file in it.")
        if not stat.S_ISREG(mode):
            raise InputError(f"{path} is not an ordinary file: give the name of an image file.")
        with open(path, "rb") as file:
            return _decode(file, str(path), max_pixels)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: check its name (now in {os.getcwd()}).") from None
    except PermissionError:
        raise InputError(f"{path} may not be read by you: change its permissions or copy it.") from None
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path!s} could not be opened ({reason}): check the name.") from error


def _decode(file: Any, name: str, max_pixels: int) -> Image.Image:
    head = file.read(32)
    file.seek(0)
    if not head:
        raise InputError(f"{name} is empty (0 bytes): copy or download it again.")
    Image.init()  # registers every format, so that the names below can be looked up
    formats = [kind for kind in _READABLE if kind in Image.OPEN]
    # Pillow warns about big images and odd metadata; size is checked here and metadata is not kept.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(file, formats=formats)
        except Image.DecompressionBombError:
            raise InputError(_too_large(name, max_pixels)) from None
        except UnidentifiedImageError:
            if head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS:
                message = f"{name} is a HEIC photo, a format not known here: convert it to JPEG or PNG first."
            else:
                message = f"{name} is damaged or not an image in a known format: give a JPEG, PNG or WebP."
            raise InputError(message) from None
        except Exception as error:  # decoders raise almost anything on broken data
            raise InputError(_damaged(name, error)) from error
        return _finish(image, name, max_pixels)


def _finish(image: Image.Image, name: str, max_pixels: int) -> Image.Image:
    """Check the size, decode, convert to RGB and turn upright."""
    _check_size(image.size, name, max_pixels)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
            orientation = _orientation(image)
            image = _rgb(image, name)
    except InputError:
        raise
    except Exception as error:  # decoders raise almost anything on broken data
        raise InputError(_damaged(name, error)) from error
    if orientation in _ORIENTATIONS:
        image = image.transpose(_ORIENTATIONS[orientation])
    image.info = {}
    return image


def _check_size(size: tuple[int, int], name: str, max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise InputError(_too_large(name, max_pixels, size))
    if min(width, height) < MIN_SIDE:
        raise InputError(
            f"{name} is only {width} pixels wide and {height} high: give a photo of at least {MIN_SIDE} on each side."
        )


def _too_large(name: str, max_pixels: int, size: tuple[int, int] | None = None) -> str:
    pixels = f" ({size[0]} wide, {size[1]} high)" if size else ""
    return f"{name} is too large{pixels}: scale it down to {max_pixels / 1e6:g} million pixels or fewer."


def _damaged(name: str, error: Exception) -> str:
    if isinstance(error, MemoryError):
        return f"{name} does not fit into memory: scale it down."
    return f"{name} is damaged or cut short ({error or type(error).__name__}): copy or download it again."


def _orientation(image: Image.Image) -> int | None:
    try:
        return image.getexif().get(_ORIENTATION_TAG)
    except Exception:  # a broken tag block says nothing about the pixels
        return None


def _rgb(image: Image.Image, name: str = "The given image") -> Image.Image:
    """A new RGB image from any Pillow mode; transparency on white, more than 8 bits scaled to 8."""
    if image.mode == "F" or image.mode.startswith("I"):
        return _from_array(np.asarray(image), name)
    if image.mode == "LAB":
        return _through_profile(image, "LAB")
    if image.has_transparency_data:
        image = image.convert("LA") if image.mode == "La" else image
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        rgba_rgb = _through_profile(rgba.convert("RGB"), profile=image.info.get("icc_profile"))
        rgb = Image.merge("RGBA", (*rgba_rgb.split(), rgba.getchannel("A")))
        return Image.alpha_composite(white, rgb).convert("RGB")
    profile = image.info.get("icc_profile")
    if image.mode not in ("RGB", "CMYK"):
        image = image.convert("RGB")
    return _through_profile(image, profile=profile)


def _through_profile(image: Image.Image, profile: Any) -> Image.Image:
    """Convert to sRGB by the image's own colour profile; without a usable one, by Pillow's plain conversion.

    Phones store Display P3 and shops CMYK: without this a red shirt comes out as another red.
    """
    if profile:
        with contextlib.suppress(Exception):  # a broken or foreign profile is as good as none
            from PIL import ImageCms

            source = ImageCms.createProfile("LAB") if profile == "LAB" else ImageCms.getOpenProfile(io.BytesIO(profile))
            if "sRGB" not in ImageCms.getProfileDescription(source):
                target = ImageCms.createProfile("sRGB")
                converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
                if converted is not None:
                    return converted
    return image.convert("RGB") if image.mode != "RGB" else image.copy()


def _from_array(array: np.ndarray, name: str) -> Image.Image:
    """A new RGB image from [H, W], [H, W, 1], [H, W, 3] or [H, W, 4] (transparency on white)."""
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise InputError(
            f"{name} has shape {tuple(array.shape)}: give height x width, or height x width x 1, 3 or 4 channels."
        )
    array = np.ascontiguousarray(_to_uint8(array, name))
    if array.shape[2] == 4:
        return _rgb(Image.fromarray(array))
    return Image.fromarray(np.repeat(array, 3, axis=2) if array.shape[2] == 1 else array)


def _to_uint8(array: np.ndarray, name: str) -> np.ndarray:
    """Scale to 0..255: from the type where it says the range, else from the largest value."""
    if array.dtype == np.uint8:
        return array.copy()
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    if array.dtype.kind not in "uif":
        raise InputError(f"{name} holds values of type {array.dtype}: give uint8, uint16 or float.")
    if array.dtype.itemsize == 2 and array.dtype.kind == "u":
        return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    values = array.astype(np.float64 if array.dtype.itemsize > 4 or array.dtype.kind != "f" else np.float32)
    if not np.isfinite(values).all():
        raise InputError(f"{name} holds values that are not numbers (NaN or infinite): give 0..1 or 0..255.")
    low, high = float(values.min()), float(values.max())
    if array.dtype.kind == "f" and high <= 2:  # a little overshoot from resampling is still the 0..1 range
        scale = 255.0
    else:
        scale = 1.0 if high <= 256 else 255 / 65535 if high <= 65535 else 255 / high
    if low * scale < -0.25 * 255:
        raise InputError(f"{name} holds negative values down to {low:.3g}: give 0..1 or 0..255.")
    return np.clip(np.rint(values * scale), 0, 255).astype(np.uint8)


# Writing ------------------------------------------------------------------------------------------


def save_image(
    image: Image.Image | np.ndarray,
    path: str | os.PathLike,
    quality: int = 95,
    text: Mapping[str, str] | None = None,
) -> None:
    """Write an image as JPEG, PNG or WebP, chosen by the suffix; the file appears whole or not at all.

    Args:
        image: ``PIL.Image``, or uint8 array [H, W] or [H, W, 3] RGB. Grey stays grey (masks); transparency is
            kept by PNG and WebP and laid on white by JPEG. Metadata of the image is not written.
        path: ends in .jpg, .jpeg, .png or .webp; missing folders are made.
        quality: 1..100 for JPEG and WebP.
        text: keyword -> text, written into a PNG as text chunks.

    Raises:
        OutputError: unknown suffix, a folder in the way, no permission, no room, or ``text`` for another format.
    """
    check_writable(path)
    path = Path(path)
    kind = path.suffix.lower()
    if text and kind != ".png":
        raise OutputError(f"{path} cannot hold texts: save it as .png.")
    image = image if isinstance(image, Image.Image) else Image.fromarray(np.asarray(image))
    if kind == ".png":
        keep = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
    elif kind == ".webp":
        keep = ("RGB", "RGBA")
    else:
        keep = ("L", "RGB")
    image = image.copy() if image.mode in keep else _rgb(image)
    image.info = {key: value for key, value in image.info.items() if key == "transparency"}
    options: dict[str, Any] = {} if kind == ".png" else {"quality": quality}
    if kind in (".jpg", ".jpeg"):
        options["subsampling"] = 0 if quality >= 90 else 2  # 0: full colour resolution, prints stay sharp
    if text:
        options["pnginfo"] = PngInfo()
        for keyword, value in text.items():
            options["pnginfo"].add_itxt(keyword, value)  # UTF-8
    with atomic_path(path) as temporary:
        try:
            image.save(temporary, **options)
        except ValueError as error:  # WebP's way to refuse a side over 16383 pixels
            raise OutputError(f"Could not write {path} ({error}): use .png or a smaller image.") from error


def check_writable(path: str | os.PathLike, suffixes: tuple[str, ...] | None = IMAGE_SUFFIXES) -> None:
    """Say before any work is done that ``path`` cannot be written. Nothing is created.

    Args:
        path: the file to be written later; its folders may still be missing.
        suffixes: allowed endings in lower case; None allows all.

    Raises:
        OutputError: one sentence that says what is in the way.
    """
    path = Path(path)
    if suffixes is not None and path.suffix.lower() not in suffixes:
        wrong = f"the ending {path.suffix!r} is not known" if path.suffix else "its name has no ending"
        raise OutputError(f"{path} cannot be written: {wrong}; use {' or '.join(suffixes)}.")
    try:
        if path.is_dir():
            raise OutputError(f"{path} is a folder: give the name of a file to write.")
        folder = path.absolute().parent
        while not os.path.lexists(folder):
            folder = folder.parent
        if not folder.is_dir():
            raise OutputError(f"{path} cannot be written: {folder} is not a folder; choose another place.")
        effective = os.access in os.supports_effective_ids  # not so on Windows
        if not os.access(folder, os.W_OK | os.X_OK, effective_ids=effective):
            raise OutputError(f"{path} cannot be written: no permission to write into {folder}; choose another.")
    except PermissionError:
        raise OutputError(f"{path} cannot be written: no permission to look into its folder; choose another.") from None
    except (OSError, ValueError) as error:
        if isinstance(error, OutputError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(f"{path!s} cannot be written ({reason}): choose another name.") from error


# Size ---------------------------------------------------------------------------------------------


def fit(image: Image.Image, size: tuple[int, int], fill: int = 255) -> Image.Image:
    """Fit a picture into (height, width) without distortion, centred.

    Args:
        image: of mode RGB or L.
        size: (height, width) in pixels.
        fill: grey of the bars beside it, 0..255.
    """
    height, width = size
    factor = min(width / image.width, height / image.height)
    inner = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    resized = image if inner == image.size else image.resize(inner, Image.Resampling.LANCZOS)
    if inner == (width, height):
        return resized
    canvas = Image.new(image.mode, (width, height), (fill,) * len(image.getbands()))
    canvas.paste(resized, ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return canvas


# Arrays and tensors -------------------------------------------------------------------------------


def to_array(image: Image.Image) -> np.ndarray:
    """``PIL.Image`` of any mode -> new uint8 array [H, W, 3], RGB, 0..255."""
    return np.array(image if image.mode == "RGB" else _rgb(image))


def to_tensor(image: Image.Image) -> torch.Tensor:
    """``PIL.Image`` -> float32 tensor [1, 3, H, W], RGB, in [-1, 1]."""
    return _unit_tensor(image) * 2 - 1


def from_tensor(tensor: torch.Tensor) -> Image.Image:
    """Tensor [1, 3, H, W] or [3, H, W], RGB, in [-1, 1] (values outside are cut) -> RGB ``PIL.Image``.

    Raises:
        InputError: another shape.
    """
    shape = tuple(tensor.shape)
    if len(shape) == 4 and shape[0] == 1:
        tensor = tensor[0]
    if tensor.ndim != 3 or tensor.shape[0] != 3:
        raise InputError(f"Expected a tensor of shape [1, 3, H, W] or [3, H, W], got {list(shape)}.")
    array = ((tensor.detach().float().cpu().clamp(-1, 1) + 1) * 127.5).round().byte()
    return Image.fromarray(array.permute(1, 2, 0).contiguous().numpy())


def preprocess(img: Image.Image, size: tuple[int, int] = (256, 192)) -> torch.Tensor:
    """Resize to ``size`` = (height, width), whatever the shape was, and give float32 [1, 3, H, W] in [0, 1].

    The result equals torchvision's ``Resize(size)`` followed by ``ToTensor()``: bilinear with antialiasing.
    """
    height, width = size
    rgb = img if img.mode == "RGB" else _rgb(img)
    return _unit_tensor(rgb.resize((width, height), Image.Resampling.BILINEAR))


def mask_to_tensor(mask: np.ndarray) -> torch.Tensor:
    """uint8 mask [H, W], 0..255 -> float32 tensor [1, 1, H, W] in [0, 1], 1 = inside.

    Raises:
        InputError: not a two-dimensional uint8 array.
    """
    import torch

    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise InputError(f"Expected a uint8 mask [H, W], got {mask.dtype} of shape {tuple(mask.shape)}.")
    return torch.from_numpy(mask.astype(np.float32) / 255)[None, None]


def _unit_tensor(image: Image.Image) -> torch.Tensor:
    import torch

    array = to_array(image).transpose(2, 0, 1)  # [3, H, W]
    return torch.from_numpy(np.ascontiguousarray(array)).float()[None] / 255
