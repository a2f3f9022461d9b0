"""Where everything of a sample is kept: VITON-HD's layout, and beside it what no real data set has.

Sample 123 has two garments. Its first file name ``N`` is ``000123_00`` and stands for the person in the first
garment, the second name ``M`` is ``000123_01`` and stands for the other garment. Within ``OUT/train`` or
``OUT/test``::

    image/N.jpg                            the person in the first garment
    cloth/N.jpg, cloth-mask/N.jpg          the first garment laid flat, and its mask
    cloth/M.jpg, cloth-mask/M.jpg          the other garment laid flat, and its mask
    image-parse-v3/N.png                   labels: palette PNG, CIHP-20 ids 0..19
    image-parse-agnostic-v3.2/N.png        labels without what a try-on of either garment may repaint
    agnostic-v3.2/N.jpg                    the person, that region grey
    agnostic-mask/N_mask.png               that region, 255 = repaint
    openpose_json/N_keypoints.json         OpenPose BODY_25 key points in pixels
    openpose_img/N_rendered.png            their picture on black
    image-densepose/N.jpg                  DensePose's 24 parts in DensePose's colours (parula) on black
    gt_cloth_warped_mask/N.jpg             where the garment is seen on the person, 255 (StableVITON trains with it)
    person-mask/N.png                      the person against the background, 0..255, soft at the edge
    flow/N.npz                             where each pixel of image/N is found in cloth/N
    geometry/N.npz                         body parts and surface of the person in the first garment
    image-swap/N.jpg                       the same person, pose and light in the other garment
    image-parse-swap/N.png                 labels of image-swap/N
    flow-swap/N.npz                        where each pixel of image-swap/N is found in cloth/M
    params/N.json                          all that was drawn, the COCO-18 key points, sizes and sha256 of the
                                           files above; written last: without it the sample does not count

A folder that ends in ``-swap`` speaks of the picture ``image-swap/N.jpg`` and has its name; only the other flat
garment, which is a garment like any other, has the name ``M``. Everything else holds for both outfits.

``flow`` and ``flow-swap`` hold ``flow`` (2, H, W) float16, the absolute (x, y) in the flat picture as
``grid_sample(align_corners=False)`` takes it, 0 where not ``valid``; ``valid`` (H, W) bool, the flat shows that
very spot; ``side`` (H, W) uint8, 0 no garment, 1 front, 2 back panel; ``garment_mask`` (H, W) bool, where the
garment is seen. ``geometry`` holds ``parts`` (H, W) uint8, DensePose's ids of the body under the clothes;
``part_uv`` (2, H, W) float16, its texture coordinates in [0, 1]; ``depth`` (H, W) float16 in decimetres from the
camera, 0 = background; ``normal`` (3, H, W) int8, 127 times the unit vector (x right, y up, z to the camera).

JPEG files have quality 95 and full colour resolution. A key point that is hidden but within the picture has
confidence 0.5: about what OpenPose itself gives to joints it has to guess, and what loaders, which read the
places only, take as known. Shoulders and hips outside the picture keep their true place with a confidence of
0.05, because loaders build on them without asking; all others outside are 0, 0, 0.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from .. import labels
from ..pose import Pose, to_openpose_json
from ..preprocessing import draw_body25, to_body25

if TYPE_CHECKING:
    from .samples import Sample

SPLITS = ("train", "test")
RECORD = "params/{}.json"
QUALITY = 95  # of JPEG files

#: File -> the fields it holds. {0} is the first name of a sample and {1} the second.
FILES: Mapping[str, tuple[str, ...]] = {
    "image/{0}.jpg": ("image",),
    "image-swap/{0}.jpg": ("image_swap",),
    "cloth/{0}.jpg": ("cloth",),
    "cloth/{1}.jpg": ("cloth_swap",),
    "cloth-mask/{0}.jpg": ("cloth_mask",),
    "cloth-mask/{1}.jpg": ("cloth_mask_swap",),
    "image-parse-v3/{0}.png": ("parse",),
    "image-parse-swap/{0}.png": ("parse_swap",),
    "image-parse-agnostic-v3.2/{0}.png": ("parse_agnostic",),
    "agnostic-v3.2/{0}.jpg": ("agnostic",),
    "agnostic-mask/{0}_mask.png": ("agnostic_mask",),
    "person-mask/{0}.png": ("person_mask",),
    "flow/{0}.npz": ("flow", "valid", "side", "garment_mask"),
    "flow-swap/{0}.npz": ("flow_swap", "valid_swap", "side_swap", "garment_mask_swap"),
    "geometry/{0}.npz": ("parts", "part_uv", "depth", "normal"),
}
#: Files for other programs; everything in them follows from the fields.
DERIVED = (
    "openpose_json/{0}_keypoints.json",
    "openpose_img/{0}_rendered.png",
    "image-densepose/{0}.jpg",
    "gt_cloth_warped_mask/{0}.jpg",
)

FOLDERS = tuple(sorted({path.split("/")[0] for path in (*FILES, *DERIVED, RECORD)}))
FIELDS = (*(field for fields in FILES.values() for field in fields), "keypoints")

_SWAP = "_swap"
_HALF = ("flow", "part_uv", "depth")  # kept as float16
_GUESSED = 0.05  # confidence of joints outside the picture that loaders ask for nevertheless
_ANCHORS = ((2, 2), (5, 5), (9, 8), (12, 11))  # shoulders and hips: rows in BODY_25 and in COCO-18
_FROM_COCO = (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)  # rows in BODY_25


def names(index: int) -> tuple[str, str]:
    """The two file names of a sample, without ending."""
    return f"{index:06d}_00", f"{index:06d}_01"


def paths(index: int) -> list[str]:
    """All files of a sample within its split, the record last."""
    first, second = names(index)
    return [*(path.format(first, second) for path in (*FILES, *DERIVED)), RECORD.format(first)]


def fields_of(sample: Sample) -> dict[str, np.ndarray]:
    """A sample as the fields that are kept, by name.

    Pictures are (H, W, 3) uint8 RGB; masks and labels (H, W) uint8 or bool; ``flow`` and ``part_uv`` (2, H, W)
    and ``normal`` (3, H, W) float32; ``depth`` (H, W) float32; ``keypoints`` (18, 3) float32.
    """
    fields = {
        "agnostic": sample.agnostic, "agnostic_mask": sample.agnostic_mask, "parse_agnostic": sample.agnostic_parse,
        "person_mask": sample.person_mask, "parts": sample.parts, "part_uv": sample.part_uv.transpose(2, 0, 1),
        "depth": sample.a.depth, "normal": sample.a.normal.transpose(2, 0, 1), "keypoints": sample.keypoints,
    }  # fmt: skip
    for view, flat, swap in ((sample.a, sample.flat_a, ""), (sample.b, sample.flat_b, _SWAP)):
        fields |= {
            f"image{swap}": view.image, f"parse{swap}": view.parse, f"garment_mask{swap}": view.mask > 127,
            f"flow{swap}": view.flow.transpose(2, 0, 1), f"valid{swap}": view.valid, f"side{swap}": view.side,
            f"cloth{swap}": flat.image, f"cloth_mask{swap}": flat.mask,
        }  # fmt: skip
    return fields


# Writing --------------------------------------------------------------------------------------------


def encode(sample: Sample) -> dict[str, bytes]:
    """The files of a sample, without its record: path within the split -> content."""
    first, second = names(sample.index)
    fields = fields_of(sample)
    files = {path: _encode(path, [(name, fields[name]) for name in held]) for path, held in FILES.items()}
    points = body25(sample.keypoints, sample.parts.shape)
    files |= dict(zip(DERIVED, _derived(points, sample), strict=True))
    return {path.format(first, second): content for path, content in files.items()}


def body25(keypoints: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """COCO-18 key points in OpenPose's BODY_25 order, as loaders of VITON-HD's files expect them.

    Args:
        keypoints: (18, 3) float32 x, y, confidence; confidence 0 is outside the picture, and a place other
            than 0, 0 is then believed for shoulders and hips.
        size: (height, width) of the picture in pixels.

    Returns:
        (25, 3) float32; unknown points are 0, 0, 0. Feet are not known.
    """
    pose = Pose(np.asarray(keypoints, np.float32))
    if pose.visible("right_shoulder", "left_shoulder", threshold=0.2):
        points = to_body25(pose, size)  # which also places hips nobody knows
    else:
        points = np.zeros((25, 3), np.float32)
        points[list(_FROM_COCO)] = np.where(pose.keypoints[:, 2:] > 0, pose.keypoints, 0)
    for row, coco in _ANCHORS:
        x, y, confidence = pose.keypoints[coco]
        if confidence == 0 and (x or y):
            points[row] = x, y, _GUESSED
    if points[[9, 12], 2].min() > 0:
        points[8] = *points[[9, 12], :2].mean(0), points[[9, 12], 2].min()
    return points


def densepose_picture(parts: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB picture of (H, W) part ids 0..24, as DensePose draws its segmentation."""
    shades = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[None], cv2.COLORMAP_PARULA)[0, :, ::-1]
    table = shades[np.minimum(np.arange(256) * 255 // 24, 255)]
    table[0] = 0
    return table[parts]


def _derived(points: np.ndarray, sample: Sample) -> tuple[bytes, ...]:
    document = json.loads(to_openpose_json(Pose(sample.keypoints)))
    document["people"][0]["pose_keypoints_2d"] = points.astype(float).round(3).reshape(-1).tolist()
    return (
        json.dumps(document).encode(),
        _png(draw_body25(points, sample.parts.shape)),
        _jpeg(densepose_picture(sample.parts)),
        _jpeg(sample.a.mask),
    )


def _encode(path: str, fields: list[tuple[str, np.ndarray]]) -> bytes:
    name, array = fields[0]
    if path.endswith(".jpg"):
        return _jpeg(array)
    if path.endswith(".png"):
        return _png(labels.to_palette_image(array) if name.startswith("parse") else Image.fromarray(array))
    return _npz((name.removesuffix(_SWAP), _packed(name.removesuffix(_SWAP), array)) for name, array in fields)


def _packed(name: str, array: np.ndarray) -> np.ndarray:
    if name in _HALF:
        return array.astype(np.float16)
    return np.round(array * 127).astype(np.int8) if name == "normal" else array


def _jpeg(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    return buffer.getvalue()


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _npz(arrays: Iterable[tuple[str, np.ndarray]]) -> bytes:
    """What ``np.savez_compressed`` writes, at zlib's fastest level: half the time for the same size."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays:
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy")  # with a date of its own, always the same
            archive.writestr(entry, content.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=1)
    return buffer.getvalue()


# Reading --------------------------------------------------------------------------------------------


def decode(folder: Path, index: int, wanted: Iterable[str]) -> dict[str, np.ndarray]:
    """Fields of a sample from its files, as :func:`fields_of` gives them; only files that are needed are read.

    Args:
        folder: of the split.
        index: of the sample.
        wanted: names out of :data:`FIELDS`, ``keypoints`` (which are in the record) aside.

    Raises:
        OSError, ValueError, KeyError, zipfile.BadZipFile: a file is missing or damaged.
    """
    wanted, both, found = set(wanted), names(index), {}
    for template, held in FILES.items():
        if wanted.isdisjoint(held):
            continue
        path = folder / template.format(*both)
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as archive:
                for name in wanted.intersection(held):
                    found[name] = _unpacked(name.removesuffix(_SWAP), archive[name.removesuffix(_SWAP)])
        else:
            with Image.open(path) as image:
                array = np.array(image)
            found[held[0]] = _unpacked(held[0].removesuffix(_SWAP), array)
    return found


def _unpacked(name: str, array: np.ndarray) -> np.ndarray:
    if name in _HALF:
        return array.astype(np.float32)
    if name == "normal":
        return array.astype(np.float32) / 127
    return np.where(array > 127, 255, 0).astype(np.uint8) if name == "cloth_mask" else array  # a JPEG's edges
