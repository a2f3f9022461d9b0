"""Measuring a parser on the photos of Clothing Co-Parsing that are never trained on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np

from ..errors import NoPersonError
from ..pose import Pose
from .ccp import CCP
from .scores import ParsingScore


class Parser(Protocol):
    """What can be measured: :class:`~vto_utils.parsing.PersonParser` and its kind."""

    def parse(self, image: np.ndarray, mask: np.ndarray, pose: Pose) -> np.ndarray: ...


def evaluate(parser: Parser, ccp: CCP, names: Iterable[str] | None = None, progress: bool = False) -> dict[str, Any]:
    """Measure a parser on CCP's held-out photos, with the masks and poses found in them.

    Args:
        parser: its answers are CIHP-20 ids.
        ccp: prepared.
        names: of the photos; the held-out ones when not given.
        progress: show a bar.

    Returns:
        The figures of :class:`~vto_utils.parser_training.scores.ParsingScore`. A photo in which no pose was
        found counts as answered with background alone.
    """
    from tqdm import tqdm

    score = ParsingScore()
    for name in tqdm(list(ccp.test if names is None else names), desc="photos", disable=not progress):
        example = ccp.read(name)
        pose = ccp.found(name)[0]
        answer = np.zeros(example.alpha.shape, np.uint8)
        if pose is not None:
            with contextlib.suppress(NoPersonError):
                answer = parser.parse(example.image, example.alpha, pose)
        score.add(answer, example.labels)
    return score.figures()
