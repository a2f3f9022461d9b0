"""A stand-in for the generator of synthetic samples: flat shapes instead of people, made in milliseconds."""

from __future__ import annotations

import os
import time

import cv2
import numpy as np

from vto_utils import labels
from vto_utils.errors import InputError
from vto_utils.synth.samples import Flat, Sample, SynthConfig, View
from vto_utils.synth.seeds import stream

CATEGORIES = tuple(labels.CATEGORIES)
COLOURS = ((200, 40, 60), (40, 90, 200))


class DrawnGenerator:
    """Makes what ``samples.Generator`` makes; the pictures show an ellipse that wears a rectangle."""

    notes: tuple[str, ...] = ()

    def __init__(self, config: SynthConfig) -> None:
        self.config = config
        self.timings = {"drawing": 0.0}

    @property
    def fingerprint(self) -> str:
        return f"drawn 1, seed {self.config.seed}, {self.config.size}, {self.config.category}"

    def sample(self, index: int) -> Sample:
        started = time.perf_counter()
        (height, width), rng = self.config.size, stream(self.config.seed, index, "shape")
        split = "test" if stream(self.config.seed, index, "split").random() < self.config.held_out else "train"
        category = CATEGORIES[index % 3] if self.config.category == "all" else self.config.category
        middle = width * (0.45 + 0.1 * rng.random())
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        body = ((x - middle) / (0.3 * width)) ** 2 + ((y - 0.55 * height) / (0.45 * height)) ** 2 < 1
        views, flats = [], []
        for colour in COLOURS:
            top, bottom = 0.3 + 0.1 * rng.random(), 0.6 + 0.1 * rng.random()
            garment = body & (y > top * height) & (y < bottom * height)
            views.append(self._view(garment, body, colour, rng, x, y))
            mask = np.zeros((height, width), np.uint8)
            cv2.rectangle(mask, (width // 5, height // 4), (width - width // 5, height - height // 4), 255, -1)
            paper = np.where(mask[..., None] > 0, colour, 250).astype(np.uint8)
            flats.append(Flat(cv2.GaussianBlur(paper, (3, 3), 0), mask, paper))
        a, b = views
        region = (a.mask | b.mask) > 0
        keypoints = np.zeros((18, 3), np.float32)
        keypoints[:, 0] = middle + np.linspace(-0.2, 0.2, 18) * width
        keypoints[:, 1] = np.linspace(0.1, 1.05, 18) * height
        keypoints[:, 2] = np.where(keypoints[:, 1] < height, 1, 0)
        keypoints[4, 2] = 0.5
        sample = Sample(
            index=index, split=split, category=category, a=a, b=b, flat_a=flats[0], flat_b=flats[1],
            keypoints=keypoints,
            parts=np.where(body, 1 + (y / height * 24).astype(np.uint8), 0).astype(np.uint8),
            part_uv=(np.stack([x / width, y / height], -1) * body[..., None]).astype(np.float32),
            agnostic=np.where(region[..., None], 128, a.image).astype(np.uint8),
            agnostic_mask=region.astype(np.uint8) * 255,
            agnostic_parse=np.where(region, 0, a.parse).astype(np.uint8),
            person_mask=cv2.GaussianBlur(body.astype(np.uint8) * 255, (5, 5), 0),
            params={"middle": float(middle), "colours": COLOURS},
        )  # fmt: skip
        self.timings["drawing"] += time.perf_counter() - started
        return sample

    def _view(self, garment, body, colour, rng, x, y) -> View:
        height, width = garment.shape
        image = np.full((height, width, 3), 235, np.float32)
        image[body] = 180, 140, 120
        image[garment] = colour
        image += cv2.GaussianBlur(rng.normal(0, 12, image.shape).astype(np.float32), (0, 0), 2)
        parse = np.where(body, labels.ID["face"], 0)
        parse[garment] = labels.ID["upper-clothes"]
        valid = garment & (x > 0.3 * width)
        flow = np.stack([2 * x / width - 1, 2 * y / height - 1], -1) * 0.7 * valid[..., None]
        ball = np.stack([(x / width - 0.5), (0.5 - y / height), np.full_like(x, 0.8)], -1)
        return View(
            image=image.clip(0, 255).astype(np.uint8), parse=parse.astype(np.uint8),
            mask=garment.astype(np.uint8) * 255, albedo=np.where(garment[..., None], colour, 0).astype(np.uint8),
            flow=flow.astype(np.float32), valid=valid,
            side=(garment * (1 + (y < height / 2))).astype(np.uint8),
            depth=np.where(body, 30 + x / width, 0).astype(np.float32),
            normal=(ball / np.linalg.norm(ball, axis=-1, keepdims=True) * body[..., None]).astype(np.float32),
        )  # fmt: skip


class NotingGenerator(DrawnGenerator):
    """Has something to say."""

    notes = ("The assets folder /nowhere is missing: skins and hair are drawn.",)


class NewerGenerator(DrawnGenerator):
    """Another version."""

    fingerprint = "drawn 2"


class FailingGenerator(DrawnGenerator):
    """Has a fault that shows at sample 3."""

    def sample(self, index: int) -> Sample:
        if index == 3:
            raise ZeroDivisionError("a fault")
        return super().sample(index)


class AtOnceFailingGenerator(DrawnGenerator):
    """Has a fault that shows at once."""

    def sample(self, index: int) -> Sample:
        raise ZeroDivisionError("a fault")


class RefusingGenerator(DrawnGenerator):
    """Does not want to."""

    def __init__(self, config: SynthConfig) -> None:
        raise InputError("The body is missing: install the package again.")


class DyingGenerator(DrawnGenerator):
    """Takes its process with it, as the system does with one that needs too much memory."""

    def sample(self, index: int) -> Sample:
        if index == 3:
            os._exit(9)
        return super().sample(index)


class SlowGenerator(DrawnGenerator):
    """Gives time to interrupt it."""

    def sample(self, index: int) -> Sample:
        time.sleep(0.15)
        return super().sample(index)
