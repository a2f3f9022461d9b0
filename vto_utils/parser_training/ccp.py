"""Clothing Co-Parsing (CCP; Yang, Luo and Lin, CVPR 2014): 924 photos to train and measure on."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import InputError, NoPersonError
from ..files import atomic_path
from ..pose import Pose
from .ccp_labels import CCP_TO_CIHP, map_ccp
from .examples import Example

HELD_OUT = 100  # photos of CCP that are never trained on


def held_out(names: Sequence[str], count: int = HELD_OUT) -> list[str]:
    """The photos that are measured on: those whose name has the lowest SHA-256. Sorted by name.

    Args:
        names: of all photos, without ending, as "0001".
    """
    return sorted(sorted(names, key=lambda name: sha256(name.encode()).hexdigest())[:count])


class CCP:
    """Clothing Co-Parsing as :class:`Example` s, with poses and person masks that :meth:`prepare` finds once.

    Args:
        folder: with ``photos/*.jpg``, ``labels/*.png`` and ``labels.json``.
        cache: folder for what was found, one small .npz a photo.

    Raises:
        InputError: the folder is not that data set.
    """

    def __init__(self, folder: str | os.PathLike, cache: str | os.PathLike) -> None:
        self.folder, self.cache = Path(folder).expanduser(), Path(cache).expanduser()
        try:
            self.classes = json.loads((self.folder / "labels.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{self.folder} is not Clothing Co-Parsing: labels.json cannot be read ({error}); "
                "give the folder with photos/, labels/ and labels.json."
            ) from error
        if unknown := [name for name in self.classes if name not in CCP_TO_CIHP]:
            raise InputError(f"{self.folder / 'labels.json'} has a class that CCP does not have: {unknown[0]}.")
        self.names = sorted(path.stem for path in (self.folder / "labels").glob("*.png"))
        if not self.names:
            raise InputError(f"{self.folder / 'labels'} holds no .png file: get the data set again.")
        held = set(held_out(self.names, min(HELD_OUT, len(self.names) // 2)))
        self.test = [name for name in self.names if name in held]
        self.train = [name for name in self.names if name not in held]
        self._mapped: dict[str, np.ndarray] = {}  # 0.2 MB each; splitting skin takes longer than all the rest

    def prepare(self, progress: bool = False) -> None:
        """Find the pose and the person mask of every photo that has none yet: half a second each."""
        missing = [name for name in self.names if not (self.cache / f"{name}.npz").is_file()]
        if not missing:
            return
        from tqdm import tqdm

        from ..background import BackgroundRemover
        from ..pose import PoseEstimator

        remover = BackgroundRemover()
        with PoseEstimator() as poses:
            for name in tqdm(missing, desc="poses and masks", disable=not progress):
                image = self._image(name)
                try:
                    pose = poses.estimate(image)
                    points, landmarks = pose.keypoints, pose.landmarks
                except NoPersonError:
                    points, landmarks = np.zeros((18, 3), np.float32), np.zeros((33, 3), np.float32)
                with atomic_path(self.cache / f"{name}.npz") as path:
                    np.savez_compressed(path, keypoints=points, landmarks=landmarks, alpha=remover.alpha(image))

    def _image(self, name: str) -> Image.Image:
        from ..images import load_image

        return load_image(self.folder / "photos" / f"{name}.jpg")

    def found(self, name: str) -> tuple[Pose | None, np.ndarray]:
        """Pose (None where nobody was found) and person mask, (H, W) uint8, of a prepared photo."""
        with np.load(self.cache / f"{name}.npz", allow_pickle=False) as found:
            points, landmarks, alpha = found["keypoints"], found["landmarks"], found["alpha"]
        return (Pose(points, landmarks) if points.any() else None), alpha

    def read(self, name: str) -> Example:
        """A prepared photo."""
        pose, alpha = self.found(name)
        if name not in self._mapped:
            with Image.open(self.folder / "labels" / f"{name}.png") as file:
                self._mapped[name] = map_ccp(np.array(file), pose, self.classes)
        labels = self._mapped[name]
        points = np.zeros((18, 3), np.float32) if pose is None else pose.keypoints
        return Example(np.array(self._image(name)), labels, alpha, points)
