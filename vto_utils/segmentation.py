"""Person segmentation: one mask, whichever of three backends can make it on this machine.

* ``detectron2``: Mask R-CNN R50-FPN 3x (He et al. 2017) through Detectron2's ``DefaultPredictor``.
* ``torchvision``: Mask R-CNN R50-FPN v2, nothing to compile.
* ``rembg``: the cut-out of ``background``; it takes what stands out for a person, and people who touch for
  one person.

Of several people the one who is largest and most central is taken: the highest share of the picture times
centrality, which falls from 1 for a centroid in the middle to 0 for one in a corner.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from . import assets
from .background import BackgroundRemover
from .errors import InputError, NoPersonError, VTOError
from .images import load_image
from .runtime import pick_device

BACKENDS = ("detectron2", "torchvision", "rembg")  # in the order in which ``auto`` tries them
DETECTRON2_CONFIG = "COCO-InstanceSegmentation/mask_rcnn_R_50_FPN_3x.yaml"
SCORE_THRESHOLD = 0.5  # below it a detection is not believed

_NAME = {"detectron2": "Detectron2", "torchvision": "torchvision"}
_INSTALL = {"detectron2": "build it as the README says", "torchvision": "run `pip install torchvision`"}
_ASSET_OF = {"detectron2": "maskrcnn-detectron2", "torchvision": "maskrcnn-torchvision"}
_PERSON_OF = {"detectron2": 0, "torchvision": 1}  # COCO's person; torchvision counts the background as 0
_LONG_SIDE = 1333  # pixels; both networks work at this size or below, so a larger photo only costs memory
_SHARE_OF_IMAGE = 0.005  # smaller people are passers-by or specks
_SHARE_OF_LARGEST = 0.1
_NOBODY = "No person was found in the photo: give one that shows a person clearly, and large enough."


@dataclass(frozen=True, eq=False)
class Segmentation:
    """One person's mask.

    Attributes:
        mask: uint8 [H, W] of the upright photo, 255 = person, 0 = elsewhere.
        people: how many people were seen, not counting those smaller than 10 % of the largest one or 0.5 % of
            the photo.
        box: (x0, y0, x1, y1) in pixels around the mask; x1 and y1 are the first ones outside.
        backend: which one made the mask: "detectron2", "torchvision" or "rembg".
        reason: one sentence that says why this backend was taken.
    """

    mask: np.ndarray
    people: int
    box: tuple[int, int, int, int]
    backend: str
    reason: str


class PersonSegmenter:
    """Finds the person of a photo. Load once, call many times.

    Args:
        backend: "detectron2", "torchvision", "rembg", or "auto" for the first of them that is installed and
            has its weights on this machine. ``auto`` fetches no Mask R-CNN; naming one does, once.
        device: as for ``runtime.pick_device``; rembg always runs on the CPU.
        model: a ready-made model for a named backend, used as it is: Detectron2's ``DefaultPredictor`` (BGR
            array -> {"instances": ...}), a torchvision detection model in evaluation mode, or a
            ``BackgroundRemover``. Its own score threshold counts.

    Attributes:
        backend, reason: what was chosen, and one sentence that says why.

    Raises:
        InputError: unknown or not installed backend, or ``model`` without naming its backend.
        AssetError: the weights of the named backend are missing and could not be fetched.
    """

    def __init__(self, backend: str = "auto", device: str = "auto", model: Any = None) -> None:
        if backend not in ("auto", *BACKENDS):
            raise InputError(f"The backend {backend!r} is not known: choose auto, {', '.join(BACKENDS)}.")
        if model is not None and backend == "auto":
            raise InputError(f"A ready-made model needs its backend named: one of {', '.join(BACKENDS)}.")
        if device != "auto":
            pick_device(device)  # a wrong name is an error even where rembg, which needs none, is taken
        self.device = device
        if backend == "auto":
            self.backend, self.model, self.reason = self._first_ready()
        else:
            self.backend = backend
            self.model = self._load(backend) if model is None else model
            self.reason = f"{backend}: it was asked for."

    def segment(self, image: Image.Image | np.ndarray) -> Segmentation:
        """Find the person in ``image``.

        Args:
            image: whatever ``load_image`` takes; ``PIL.Image`` or uint8 array [H, W, 3] in **RGB** order. A
                camera's orientation tag is applied first.

        Raises:
            NoPersonError: nobody was found.
        """
        photo = load_image(image)
        if self.backend == "rembg":
            mask, people = choose_component(self.model.alpha(photo) >= 128)
        else:
            small = _shrink(photo)
            array = np.asarray(small)
            run = _run_detectron2 if self.backend == "detectron2" else _run_torchvision
            masks = run(self.model, array)
            chosen, people = choose_person(*_measure(masks), array.shape[:2])
            mask = masks[chosen].astype(np.uint8) * 255
            if small is not photo:
                mask = cv2.resize(mask, photo.size, interpolation=cv2.INTER_CUBIC)
            mask = mask >= 128
        return Segmentation(mask.astype(np.uint8) * 255, people, _box(mask), self.backend, self.reason)

    def __call__(self, image_bgr: np.ndarray) -> dict[str, Any]:
        """Answer as Detectron2's predictor does: uint8 [H, W, 3] in **BGR** -> {"instances": ...}.

        The instances hold the one chosen person or nobody: ``has``, ``len``, and as torch tensors
        ``pred_masks`` (bool [N, H, W]) and ``pred_classes`` (all 0, COCO's person).
        """
        rgb = _rgb_of(image_bgr)
        try:
            masks = self.segment(rgb).mask[None] > 0
        except NoPersonError:
            masks = np.zeros((0, *rgb.shape[:2]), bool)
        return {"instances": _Instances(masks)}

    def _first_ready(self) -> tuple[str, Any, str]:
        passed = []
        for backend in BACKENDS[:-1]:
            name = _NAME[backend]
            if not _installed(backend):
                passed.append(f"{name} is not installed")
            elif assets.find(_ASSET_OF[backend]) is None:
                command = f"`{assets.FETCH_COMMAND} {_ASSET_OF[backend]}` gets them"
                passed.append(f"{name}'s Mask R-CNN weights are not on this machine ({command})")
            else:
                try:
                    model = self._load(backend)
                except VTOError as error:
                    passed.append(str(error).rstrip("."))
                    continue
                passed.append(f"{name} is installed, with its weights on this machine")
                return backend, model, f"{backend}: {'; '.join(passed)}."
        return "rembg", self._load("rembg"), f"rembg: {'; '.join(passed)}."

    def _load(self, backend: str) -> Any:
        if backend == "rembg":
            return BackgroundRemover()
        if not _installed(backend):
            raise InputError(f"{_NAME[backend]} is not installed: {_INSTALL[backend]}, or use rembg.")
        device = pick_device(self.device).value
        device = "cpu" if device == "mps" else device  # Apple's GPUs lack some of Mask R-CNN's operations
        try:
            # Before the weights: nobody should wait for them and then read that the package is broken.
            importlib.import_module("detectron2.engine" if backend == "detectron2" else "torchvision")
            build = build_detectron2 if backend == "detectron2" else build_torchvision
            return build(assets.fetch(_ASSET_OF[backend]), device)
        except VTOError:
            raise
        except Exception as error:  # a package built for another torch fails in its own ways
            reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
            raise InputError(f"{_NAME[backend]} is installed but does not work ({reason}).") from error


# For OpenCV's arrays ---------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1)
def setup_segmentor() -> Callable[[np.ndarray], dict[str, Any]]:
    """Detectron2's ``DefaultPredictor`` where Detectron2 is installed, else ``PersonSegmenter()``.

    Both take a uint8 BGR array [H, W, 3] and answer {"instances": ...}. The first call loads the weights, and
    fetches Detectron2's once (178 MB) if it is installed; later calls give the same object.
    """
    if _installed("detectron2"):
        try:
            return PersonSegmenter("detectron2").model
        except VTOError as error:
            warnings.warn(f"Detectron2 is not used: {error}", stacklevel=2)
    return PersonSegmenter()


def segment_person(image_bgr: np.ndarray, segmentor: Any = None) -> Image.Image:
    """Mask of the photo's person.

    Args:
        image_bgr: uint8 [H, W, 3] in **BGR** order, as OpenCV reads it.
        segmentor: from ``setup_segmentor``, which is called if None: a ``PersonSegmenter`` or any Detectron2
            predictor.

    Returns:
        ``PIL.Image`` in mode L of the same size, 255 = person, 0 = elsewhere; all 0 if nobody was found.

    Raises:
        InputError: another shape or type of array.
    """
    rgb = _rgb_of(image_bgr)
    segmentor = setup_segmentor() if segmentor is None else segmentor
    if not isinstance(segmentor, PersonSegmenter):
        segmentor = PersonSegmenter("detectron2", model=segmentor)
    try:
        return Image.fromarray(segmentor.segment(rgb).mask)
    except NoPersonError:
        return Image.fromarray(np.zeros(rgb.shape[:2], np.uint8))


# Choosing among people ------------------------------------------------------------------------------


def choose_person(areas: Sequence[float], centroids: np.ndarray, size: tuple[int, int]) -> tuple[int, int]:
    """The one person a try-on is meant for.

    Args:
        areas: pixels of each of N people.
        centroids: [N, 2], (x, y) in pixels.
        size: (height, width) of the picture.

    Returns:
        Index of the person with the highest area share x centrality, and how many people are large enough to
        count. Centrality is 1 minus the root mean square of the centroid's distances from the middle, each
        as a share of half the width or height.

    Raises:
        NoPersonError: there is no person large enough.
    """
    areas = np.asarray(areas, float)
    height, width = size
    counted = areas >= max(_SHARE_OF_IMAGE * height * width, _SHARE_OF_LARGEST * areas.max(initial=0))
    if not counted.any():
        raise NoPersonError(_NOBODY)
    half = np.array([width, height]) / 2
    offset = (np.asarray(centroids, float).reshape(-1, 2) + 0.5 - half) / half  # pixel centres; -1..1
    centrality = 1 - np.sqrt((offset**2).mean(1))
    return int(np.argmax(np.where(counted, areas * centrality, -np.inf))), int(counted.sum())


def choose_component(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """The connected part of a bool mask [H, W] that ``choose_person`` takes, and how many parts count."""
    _, labels, stats, centroids = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    chosen, people = choose_person(stats[1:, cv2.CC_STAT_AREA], centroids[1:], mask.shape)  # 0: background
    return labels == chosen + 1, people


def _measure(masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Areas [N] and centroids [N, 2] (x, y) of bool masks [N, H, W]."""
    rows, columns = masks.sum(2), masks.sum(1)  # [N, H], [N, W]
    areas = rows.sum(1)
    weight = np.maximum(areas, 1)
    x = (columns * np.arange(columns.shape[1])).sum(1) / weight
    y = (rows * np.arange(rows.shape[1])).sum(1) / weight
    return areas, np.stack([x, y], 1)


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


# Mask R-CNN -----------------------------------------------------------------------------------------


def build_detectron2(
    weights: str | Path | None,
    device: str = "cpu",
    score_threshold: float = SCORE_THRESHOLD,
    short_side: int = 800,
) -> Any:
    """Detectron2's ``DefaultPredictor`` with Mask R-CNN R50-FPN 3x.

    Args:
        weights: a file of Detectron2's model zoo; None leaves the layers at random values (for tests).
        device: "cpu" or "cuda".
        score_threshold: detections below it are dropped.
        short_side: the photo is scaled so that its shorter side has this many pixels.
    """
    from detectron2 import model_zoo
    from detectron2.config import get_cfg
    from detectron2.engine import DefaultPredictor

    cfg = get_cfg()
    cfg.merge_from_file(model_zoo.get_config_file(DETECTRON2_CONFIG))
    cfg.MODEL.WEIGHTS = "" if weights is None else str(weights)
    cfg.MODEL.DEVICE = device
    cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST = score_threshold
    cfg.INPUT.MIN_SIZE_TEST = short_side
    return DefaultPredictor(cfg)


def build_torchvision(
    weights: str | Path | None,
    device: str = "cpu",
    score_threshold: float = SCORE_THRESHOLD,
    short_side: int = 800,
) -> Any:
    """torchvision's ``maskrcnn_resnet50_fpn_v2``, ready to run; arguments as for ``build_detectron2``."""
    import torch
    from torchvision.models.detection import maskrcnn_resnet50_fpn_v2

    model = maskrcnn_resnet50_fpn_v2(
        weights=None,  # never ask the hub
        weights_backbone=None,
        box_score_thresh=score_threshold,
        min_size=short_side,
        max_size=_LONG_SIDE,
    )
    if weights is not None:
        model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return model.eval().to(device)


def _run_detectron2(predictor: Any, array: np.ndarray) -> np.ndarray:
    """RGB uint8 [H, W, 3] -> bool masks [N, H, W] of the people."""
    instances = predictor(np.ascontiguousarray(array[..., ::-1]))["instances"]
    if not instances.has("pred_masks") or len(instances) == 0:
        return np.zeros((0, *array.shape[:2]), bool)
    person = instances.pred_classes == _PERSON_OF["detectron2"]
    return instances.pred_masks[person].cpu().numpy().astype(bool)


def _run_torchvision(model: Any, array: np.ndarray) -> np.ndarray:
    """RGB uint8 [H, W, 3] -> bool masks [N, H, W] of the people."""
    import torch

    device = next(model.parameters()).device
    photo = torch.from_numpy(np.array(array)).to(device).permute(2, 0, 1).float() / 255  # [3, H, W]
    with torch.inference_mode():
        found = model([photo])[0]
        person = found["labels"] == _PERSON_OF["torchvision"]
        return (found["masks"][person, 0] >= 0.5).cpu().numpy()


def _shrink(photo: Image.Image) -> Image.Image:
    if max(photo.size) <= _LONG_SIDE:
        return photo
    scale = _LONG_SIDE / max(photo.size)
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    return photo.resize(size, Image.Resampling.BICUBIC)


# Borders --------------------------------------------------------------------------------------------


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):  # ValueError: a module without a spec stands in its place
        return False


def _rgb_of(image_bgr: np.ndarray) -> np.ndarray:
    array = np.asarray(image_bgr)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise InputError(
            f"Expected a uint8 array [H, W, 3] in BGR order, got {array.dtype} of shape {list(array.shape)}."
        )
    return np.ascontiguousarray(array[..., ::-1])


class _Instances:
    """The part of Detectron2's ``Instances`` that masks are read from."""

    def __init__(self, masks: np.ndarray) -> None:
        import torch

        self.pred_masks = torch.from_numpy(masks)
        self.pred_classes = torch.zeros(len(masks), dtype=torch.int64)

    def __len__(self) -> int:
        return len(self.pred_masks)

    def has(self, name: str) -> bool:
        return len(self) > 0 and name in ("pred_masks", "pred_classes")
