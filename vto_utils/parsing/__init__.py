"""Human parsing: which pixel is hair, skin, upper or lower garment.

:class:`PersonParser` labels photos, with a trained network or by rules. :func:`clean_labels` mends any label map.
"""

from __future__ import annotations

import os

import numpy as np
from PIL import Image

from ..errors import InputError
from ..pose import Pose
from .cleanup import clean_labels
from .enlargement import enlarge_labels
from .rules import RuleParser

__all__ = ["METHODS", "PersonParser", "RuleParser", "clean_labels", "enlarge_labels"]

METHODS = ("network", "rules")


class PersonParser:
    """Labels a person's pixels. Load once, call many times.

    Args:
        method: ``network`` is the trained one; ``rules`` needs no weights and knows fewer classes.
        weights: file of the network; the one that comes with the package when not given.
        device: where the network computes: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        InputError: there is no such method, the network cannot be loaded, or the device is not here.
    """

    def __init__(self, method: str = "network", weights: str | os.PathLike | None = None, device: str = "auto") -> None:
        if method not in METHODS:
            raise InputError(f"Unknown parsing method '{method}': use one of {', '.join(METHODS)}.")
        self.method = method
        if method == "rules":
            self._parser = RuleParser()
            return
        try:
            from .network import WEIGHTS, NetworkParser
        except (ImportError, OSError) as error:  # a library that torch needs may be missing
            raise InputError(
                f"The parsing network needs PyTorch, which cannot be loaded ({error}): "
                "run `pip install -r requirements.txt`, or parse by rules (method 'rules')."
            ) from error
        self._parser = NetworkParser.load(WEIGHTS if weights is None else weights, device)

    def parse(self, image: Image.Image | np.ndarray, mask: np.ndarray, pose: Pose) -> np.ndarray:
        """Label every pixel.

        Args:
            image: RGB photo.
            mask: uint8 HW person mask of the same size, 255 = person; soft edges are welcome.
            pose: key points in pixels of the photo.

        Returns:
            uint8 HW of CIHP-20 ids (:mod:`vto_utils.labels`), the photo's size; 0 outside the mask.

        Raises:
            NoPersonError: by rules: the shoulders are not visible.
            ValueError: mask and photo differ in size.
        """
        return self._parser.parse(image, mask, pose)
