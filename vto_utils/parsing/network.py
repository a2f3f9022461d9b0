"""Human parsing by a trained network."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import cv2
import numpy as np
import safetensors.torch
import torch
from PIL import Image

from ..errors import InputError
from ..files import atomic_path
from ..networks.parser import CLASS, CLASSES, STRIDE, ParserConfig, ParserNet, to_cihp
from ..pose import Pose
from ..runtime import pick_device
from .cleanup import clean_labels, nearest_labels
from .colours import weigh_by_colour
from .edges import GuidedEnlargement
from .enlargement import enlarge_labels
from .framing import frame_matrix, network_input, person_box, warp_photo, warp_points
from .sides import left_sides

#: The weights that come with the package.
WEIGHTS = Path(__file__).resolve().parent.parent / "weights" / "parser.safetensors"
_FIRST_SIZE = (256, 192)  # of files that do not tell

_LONG_SIDE = 1024  # pixels at which edges are followed
_REACH = 0.45  # radius in which edges are looked for, in cells of the network's answer
_FIT_RADIUS = 2  # the same in pixels of the small photo that the fit is made on
_EPSILON = 5e-4
_MARGIN = 0.05  # kept around the person, as a share of the longer side
_SKIN = tuple(CLASS[name] for name in ("face", "torso-skin", "arm"))  # not the legs: they may wear tights
_CLOSER = 4 / 3  # how much larger the network sees the person the second time
_UNLIKELY = 0.05  # classes that nowhere have a greater chance are left out


class NetworkParser:
    """Labels a person's pixels with a :class:`~vto_utils.networks.parser.ParserNet`. Load once, call many times.

    It looks twice, the second time closer and into a mirror: no class has a side, small things are seen better close
    up, and the mean of both answers is better than either.

    Args:
        net: trained.
        size: (height, width) of its input, the smaller one.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
    """

    def __init__(self, net: ParserNet, size: tuple[int, int], device: str = "auto") -> None:
        self.device = pick_device(device).value
        self.net, self.size = net.to(self.device, memory_format=torch.channels_last).eval(), tuple(size)

    @classmethod
    def load(cls, path: str | os.PathLike = WEIGHTS, device: str = "auto") -> NetworkParser:
        """With weights from a file.

        Raises:
            InputError: the file is missing, damaged or of another network.
        """
        return cls(*load_parser(path), device)

    def parse(self, image: Image.Image | np.ndarray, mask: np.ndarray, pose: Pose | None) -> np.ndarray:
        """Label every pixel.

        Args:
            image: RGB photo.
            mask: uint8 HW person mask of the same size, 255 = person; soft edges are welcome.
            pose: key points in pixels of the photo; without any the answer is worse, above all left and right.

        Returns:
            uint8 HW of CIHP-20 ids (:mod:`vto_utils.labels`), the photo's size. Nothing outside the mask has a
            label. Inside it everything has one, save bags, which CIHP does not know, and large things that the
            network takes for no part of the person.

        Raises:
            ValueError: mask and photo differ in size.
        """
        photo = np.asarray(image)
        if mask.shape != photo.shape[:2]:
            raise ValueError(f"mask is {mask.shape}, photo is {photo.shape[:2]}; they must have the same size")
        result = np.zeros(mask.shape, np.uint8)
        points = np.zeros((18, 3), np.float32) if pose is None else pose.keypoints
        part = _part(mask, points)
        photo, mask = photo[part], mask[part]
        if not (mask >= 128).any():
            return result
        scale = min(1.0, _LONG_SIDE / max(mask.shape))
        size = tuple(max(1, round(n * scale)) for n in mask.shape)
        x, y = size[1] / mask.shape[1], size[0] / mask.shape[0]
        near = None if pose is None else _moved(pose, part[1].start, part[0].start).scaled(x, y)
        small = cv2.resize(photo, size[::-1], interpolation=cv2.INTER_AREA) if scale < 1 else photo
        alpha = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_AREA) if scale < 1 else mask
        labels = clean_labels(self._label(small, alpha, near), alpha, near)
        if scale < 1:  # labels reach beyond the outline first, which the large mask then draws
            labels = enlarge_labels(nearest_labels(labels, alpha < 128), photo, mask)
        result[part] = labels
        return result

    def _label(self, image: np.ndarray, alpha: np.ndarray, pose: Pose | None) -> np.ndarray:
        chances, matrix = self.chances(image, alpha, pose)
        classes = _follow_edges(chances, matrix, image, alpha)
        return to_cihp(classes, *left_sides(pose, alpha.shape))

    def chances(self, image: np.ndarray, alpha: np.ndarray, pose: Pose | None) -> tuple[np.ndarray, np.ndarray]:
        """What the network says: (18, h, w) float32 chances, and (2, 3) from photo pixels to pixels of that."""
        closer = tuple(round(n * _CLOSER / STRIDE) * STRIDE for n in self.size)
        straight, _ = self._look(image, alpha, pose, self.size, mirrored=False)
        mirrored, matrix = self._look(image, alpha, pose, closer, mirrored=True)
        size = mirrored.shape[:0:-1]
        enlarged = np.stack([cv2.resize(layer, size, interpolation=cv2.INTER_LINEAR) for layer in straight])
        return (enlarged + mirrored) / 2, matrix

    def _look(
        self, image: np.ndarray, alpha: np.ndarray, pose: Pose | None, size: tuple[int, int], mirrored: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """One answer, a quarter as large as the (height, width) that the network sees, and its matrix."""
        points = np.zeros((18, 3), np.float32) if pose is None else pose.keypoints
        matrix = frame_matrix(person_box(alpha, points), size)
        framed = warp_photo(image, matrix, size)
        mask = cv2.warpAffine(alpha, matrix, size[::-1], flags=cv2.INTER_LINEAR)
        x = network_input(framed, mask, warp_points(points, matrix))[: 3 + self.net.config.extra_channels]
        batch = torch.from_numpy(x)[None].to(self.device, memory_format=torch.channels_last)
        with torch.inference_mode():
            chances = self.net(batch.flip(-1) if mirrored else batch).float().softmax(1)[0]
            chances = (chances.flip(-1) if mirrored else chances).cpu().numpy()
        coarse = matrix / 4  # pixel centres of a map four times coarser
        coarse[:, 2] -= 0.375
        return chances, coarse


def _follow_edges(chances: np.ndarray, matrix: np.ndarray, image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """(H, W) numbers of the network's classes, borders where the photo has edges.

    Within the person mask background must be likelier than not to win: the mask knows the outline better.
    """
    cell = 1 / float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))  # photo pixels per cell of the chances
    enlarge = GuidedEnlargement(image, max(1.0, _REACH * cell / _FIT_RADIUS), _FIT_RADIUS, _EPSILON)
    scaling = np.diag([image.shape[1] / enlarge.size[1], image.shape[0] / enlarge.size[0], 1.0])
    scaling[:2, 2] = (scaling[[0, 1], [0, 1]] - 1) / 2
    down = matrix @ scaling
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    fitted = [
        cv2.warpAffine(layer, down, enlarge.size[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
        for layer in chances
    ]
    fitted = weigh_by_colour(np.stack(fitted), enlarge.guide, _SKIN)
    best, classes = np.full(alpha.shape, -1, np.float32), np.zeros(alpha.shape, np.uint8)
    for number, layer in enumerate(fitted):
        if layer.max() < _UNLIKELY:
            continue
        large = enlarge(layer)
        if CLASSES[number] == "background":
            large = large - 0.5
        better = large > best
        np.copyto(best, large, where=better)
        classes[better] = number
    classes[alpha < 128] = CLASS["background"]
    return classes


def _part(mask: np.ndarray, points: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the photo that hold the person."""
    scale = min(1.0, 512 / max(mask.shape))
    size = tuple(max(1, round(n * scale)) for n in mask.shape)
    zoom = np.float32([size[1] / mask.shape[1], size[0] / mask.shape[0], 1])
    thumb = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_AREA)
    x, y, w, h = person_box(thumb, points * zoom)
    margin = _MARGIN * max(w, h) + 2
    rows = slice(max(0, int((y - margin) / zoom[1])), min(mask.shape[0], int((y + h + margin) / zoom[1]) + 1))
    columns = slice(max(0, int((x - margin) / zoom[0])), min(mask.shape[1], int((x + w + margin) / zoom[0]) + 1))
    return rows, columns


def _moved(pose: Pose, x: int, y: int) -> Pose:
    """The pose in a photo cut off by so many pixels at the left and at the top."""
    offset = np.float32([x, y, 0])
    landmarks = None if pose.landmarks is None else pose.landmarks - offset
    return Pose(pose.keypoints - offset, landmarks, pose.people)


def save_parser(path: str | os.PathLike, net: ParserNet, size: tuple[int, int]) -> None:
    """Write a network as float16 safetensors; its configuration and the (height, width) it sees are metadata."""
    state = {name: t.detach().cpu().contiguous() for name, t in net.state_dict().items()}
    state = {name: t.half() if t.is_floating_point() else t for name, t in state.items()}
    metadata = {"format": "pt", "config": json.dumps(dataclasses.asdict(net.config)), "size": json.dumps(list(size))}
    with atomic_path(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(state, metadata=metadata))


def load_parser(path: str | os.PathLike = WEIGHTS) -> tuple[ParserNet, tuple[int, int]]:
    """The network of :func:`save_parser` - float32, on the CPU, in evaluation mode - and the size it sees.

    Raises:
        InputError: the file is missing, damaged or of another network.
    """
    if not Path(path).is_file():
        raise InputError(f"The parser's weights are missing: there is no file {path}; install the package anew.")
    try:
        with safetensors.safe_open(path, "pt") as file:
            metadata = file.metadata()
            config = ParserConfig(**json.loads(metadata["config"]))
            height, width = json.loads(metadata.get("size", json.dumps(_FIRST_SIZE)))
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 -- not a dict
        if min(height, width) < STRIDE or height % STRIDE or width % STRIDE:
            raise ValueError(f"the size {height}x{width} is not one of multiples of {STRIDE}")
        with torch.random.fork_rng(devices=[]):
            net = ParserNet(config)
        net.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in state.items()})
    except Exception as error:  # a damaged file can fail in any layer
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise InputError(f"{path} holds no parser ({reason}): copy it again, or train one.") from error
    return net.eval(), (height, width)
