"""Ways to put the garment of a sample on its person.

    geometric  the try-on that needs no networks
    spline     the garment bent by the GMM's thin-plate spline alone, laid over the photo with the old garment greyed
               out, where the target layout shows it
    flow       the same with the whole flow: skin that was hidden before stays grey
    full       what the synthesizer makes of it, within what may be repainted; the garment is seen where its
               composition mask says so
    painted    the try-on that paints at the photo's own size what the networks decide

``spline``, ``flow`` and ``full`` are what the networks give at the size of the sample, as training has them;
``geometric`` and ``painted`` are the try-on that users meet.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .. import filters, silhouette
from ..datasets.sample import Sample
from ..dressing import Dresser, NetworkDresser, Wearer, dress_by_rules
from ..errors import InputError, NoPersonError
from ..fitting import Fitter
from ..garment import Garment
from ..networks import GMM, GMMOutput, TryOnSynthesizer, sample_garment
from ..networks.inputs import (
    agnostic_rgb,
    garment_input,
    garment_seen,
    repaintable,
    synthesizer_inputs,
)
from ..pose import Pose
from ..training.data import Batch
from ..training.stages import warp
from .measures import Answer

_SOLID = 250  # of 255; a pixel of the garment's mask that shows no background


class Painted:
    """The try-on itself, given a sample's own labels, key points and garment mask.

    People and garments that it refuses stay as they are. The garment is read at the size of the sample, so its outline
    is known less exactly than in a photo of full size.

    Args:
        name: of the variant.
        dresser: by rules, or by networks.
        seed: of the grain in filled areas.
    """

    def __init__(self, name: str, dresser: Dresser, seed: int = 0) -> None:
        self.names, self.dresser, self.seed = (name,), dresser, seed

    def answers(self, sample: Sample, batch: Batch) -> dict[str, Answer]:
        """The picture of one sample.

        Args:
            sample: as read.
            batch: the same as tensors, on the device the answer shall be on.
        """
        refusal, started = "", _now(batch)
        try:
            made = self.dresser(wearer_of(sample), garment_of(sample), np.random.default_rng(self.seed))
            image, cover = made.image, made.cover
        except InputError as error:
            image, cover, refusal = sample.person, np.zeros(sample.size, np.float32), str(error)
        seconds, device = _now(batch) - started, batch["person"].device
        picture = torch.from_numpy(image.transpose(2, 0, 1).astype(np.float32)).to(device)[None] / 127.5 - 1
        seen = torch.from_numpy(cover.astype(np.float32)).to(device)[None, None]
        return {self.names[0]: Answer(picture, seen, None, seconds, refusal)}


def wearer_of(sample: Sample) -> Wearer:
    """The person of a sample as the try-on wants it.

    Raises:
        NoPersonError: trousers or a skirt are tried on, and the hips are not visible.
    """
    points = sample.keypoints.astype(np.float32)
    if sample.places_known:  # as datasets.sample.agnostic_region takes them
        points = np.concatenate([points[:, :2], np.ones((len(points), 1), np.float32)], 1)
    pose = Pose(points)
    if sample.category == "lower_body" and not pose.visible("right_hip", "left_hip"):
        raise NoPersonError(f"{sample.name}: the hips are not visible, so trousers or a skirt cannot be put on.")
    mask = np.where(sample.parse > 0, 255, 0).astype(np.uint8)
    return Wearer(sample.person, mask, pose, sample.parse)


def garment_of(sample: Sample) -> Garment:
    """The garment of a sample as the try-on wants it.

    Raises:
        InputError: its outline is not that of a garment in front view.
    """
    binary = sample.cloth_mask > 127
    if not binary.any():
        raise InputError(f"The garment {sample.cloth_name} has an empty mask: copy it again, or remove its pairs.")
    lower = sample.category == "lower_body"
    marks = silhouette.lower_landmarks(binary) if lower else silhouette.upper_landmarks(binary, sample.cloth)
    colours = filters.fill(sample.cloth.astype(np.float32), (sample.cloth_mask >= _SOLID).astype(np.float32))
    texture = np.clip(np.round(colours), 0, 255).astype(np.uint8)
    return Garment(Image.fromarray(sample.cloth), texture, sample.cloth_mask, sample.category, sample.category, marks)


class Learned:
    """The trained networks and parts of them.

    Args:
        gmm, tom: in evaluation mode, on the device of the batches.
        names: of ``spline``, ``flow`` and ``full``, those to be made.
    """

    def __init__(self, gmm: GMM, tom: TryOnSynthesizer, names: Sequence[str] = ("spline", "flow", "full")) -> None:
        self.gmm, self.tom, self.names = gmm, tom, tuple(names)

    def answers(self, sample: Sample, batch: Batch) -> Mapping[str, Answer]:
        """The pictures of one sample, by name; arguments as for :class:`Painted`."""
        make = {"spline": self._spline, "flow": self._flow, "full": self._full}
        with torch.inference_mode():
            started = _now(batch)
            found = warp(self.gmm, batch)
            warped = _now(batch) - started
            result = {}
            for name in self.names:
                started = _now(batch)
                image, garment, flow = make[name](batch, found)
                result[name] = Answer(image, garment, flow, warped + _now(batch) - started)
        return result

    def _spline(self, batch: Batch, found: GMMOutput) -> tuple[Tensor, Tensor, Tensor]:
        cloth = garment_input(batch["cloth"], batch["cloth_mask"])
        coarse = found._replace(flow=found.coarse_flow, warped=sample_garment(cloth, found.coarse_flow))
        return self._flow(batch, coarse)

    def _flow(self, batch: Batch, found: GMMOutput) -> tuple[Tensor, Tensor, Tensor]:
        seen = garment_seen(found)
        under = agnostic_rgb(batch["person"], batch["agnostic_mask"])
        return under + seen * (found.warped[:, :3].float() - under), seen, found.flow

    def _full(self, batch: Batch, found: GMMOutput) -> tuple[Tensor, Tensor, Tensor]:
        made = self.tom.synthesize(
            **synthesizer_inputs(batch["person"], batch["agnostic_mask"], batch["keypoints"], found)
        )
        where = repaintable(batch["agnostic_mask"], batch["parse"], batch["category"]) > 0
        return made.image.float().where(where, batch["person"]), made.mask.float(), found.flow


def _now(batch: Mapping[str, Any]) -> float:
    """Seconds on a clock, when the device has done all it was asked to do."""
    kind = batch["person"].device.type
    if kind in ("cuda", "mps"):
        getattr(torch, kind).synchronize()
    return time.perf_counter()


def methods(names: Sequence[str], weights: str | os.PathLike | None = None, device: str = "cpu") -> list[Any]:
    """What makes the variants of these names.

    Raises:
        InputError: variants that need networks are asked for, and there is no checkpoint, or it takes other inputs.
    """
    result: list[Any] = [Painted("geometric", dress_by_rules)] if "geometric" in names else []
    if all(name == "geometric" for name in names):
        return result
    if weights is None:
        asked = ", ".join(name for name in names if name != "geometric")
        raise InputError(f"There are no networks to measure for {asked}: give --weights, their folder.")
    fitter = Fitter(weights, device)
    of_networks = [name for name in names if name in ("spline", "flow", "full")]
    if of_networks:
        result.append(Learned(fitter.gmm, fitter.tom, of_networks))
    if "painted" in names:
        result.append(Painted("painted", NetworkDresser(fitter)))
    return result
