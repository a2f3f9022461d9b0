"""All samples of a data set through all variants."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from PIL import Image

from ..datasets import collate
from ..datasets.sample import Sample, to_item
from ..errors import InputError
from ..images import from_tensor
from ..training.data import Batch, on_device
from .measures import Answer, Meter
from .tables import summary

_HASHED = ("person", "parse", "keypoints", "cloth", "cloth_mask", "target", "target_parse", "target_garment", "flow")


class Method(Protocol):
    """What makes pictures of samples."""

    names: tuple[str, ...]

    def answers(self, sample: Sample, batch: Batch) -> Mapping[str, Answer]: ...


@dataclass
class Found:
    """What was measured.

    Attributes:
        layout: of the data set.
        digest: sha256 of the samples that were measured, as they were read.
        categories: of each sample.
        rows: variant -> figures of each sample.
        refusals: variant -> sample -> why it was refused.
        pictures: (label, picture) of the first samples, row by row.
    """

    layout: str = ""
    digest: str = ""
    categories: list[str] = field(default_factory=list)
    rows: dict[str, list[dict[str, float | None]]] = field(default_factory=dict)
    refusals: dict[str, dict[str, str]] = field(default_factory=dict)
    pictures: list[tuple[str, Image.Image]] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Number of samples."""
        return len(self.categories)

    def figures(self) -> dict[str, Any]:
        """Numbers of samples and means of their figures, by category and in total."""
        return summary(self.categories, self.rows, {name: list(found) for name, found in self.refusals.items()})

    def notes(self) -> list[str]:
        """Sentences on what was refused."""
        return [
            f"{name} refused {len(found)} of {self.count} samples, which count as the photo unchanged; "
            f"the first: {next(iter(found.values()))}"
            for name, found in self.refusals.items()
            if found
        ]

    def sheet(self) -> tuple[list[tuple[str, Image.Image]], int]:
        """Labelled pictures and how many make a row: person, garment, each variant, truth."""
        return self.pictures, len(self.rows) + 3


def evaluate(
    dataset: Any, methods: Sequence[Method], meter: Meter, count: int, shown: int = 0, progress: bool = False
) -> Found:
    """Measure variants on a data set.

    Args:
        dataset: of ``open_dataset``.
        methods: each makes one variant or more.
        meter: measures their pictures, on its device.
        count: of samples, evenly spread over the data set and always the same.
        shown: of how many of them pictures are kept.
        progress: show a bar.

    Raises:
        InputError: the data set cannot be read or does not know the results.
    """
    from tqdm import tqdm

    found, digest = Found(), hashlib.sha256()
    for method in methods:
        for name in method.names:
            found.rows[name], found.refusals[name] = [], {}
    numbers = np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int).tolist()
    for place, number in enumerate(tqdm(numbers, desc="samples", disable=not progress)):
        sample = dataset.sample(number)
        if sample.target is None:
            raise InputError(f"Nothing can be measured without photos of the result: {dataset}")
        _add(digest, sample)
        batch = on_device(collate([to_item(sample)]), meter.device)
        found.layout = sample.dataset
        found.categories.append(sample.category)
        answers: dict[str, Answer] = {}
        for method in methods:
            if place == 0:  # what is loaded or compiled at first use shall not be timed
                method.answers(sample, batch)
            answers |= method.answers(sample, batch)
        for name, answer in answers.items():
            found.rows[name].append(meter.measure(batch, answer))
            if answer.refusal:
                found.refusals[name][sample.name] = answer.refusal
        if place < shown:
            found.pictures += _pictures(sample, answers)
    found.digest = digest.hexdigest()
    return found


def _add(digest: Any, sample: Sample) -> None:
    for name in _HASHED:
        value = getattr(sample, name)
        if value is not None:
            digest.update(np.ascontiguousarray(value).tobytes())
    digest.update(sample.category.encode())


def _pictures(sample: Sample, answers: Mapping[str, Answer]) -> list[tuple[str, Image.Image]]:
    made = [(f"{name} (refused)" if a.refusal else name, from_tensor(a.image.cpu())) for name, a in answers.items()]
    return [
        (sample.name, Image.fromarray(sample.person)),
        (sample.category, Image.fromarray(sample.cloth)),
        *made,
        ("truth", Image.fromarray(sample.target)),
    ]
