"""How to train: frozen dataclasses that survive JSON and TOML.

A field's metadata is what a panel of controls shows of it (see ``widgets.config_panel``). Fields marked ``free`` may
differ when a run goes on: they change where and how comfortably it computes, not what.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ..errors import InputError

TRAINS = ("warp", "synth", "joint")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
BACKBONES = ("auto", "vgg19", "efficientnet-lite0")
_MULTIPLE = 16  # of the networks' coarsest features


def _number(default: float, low: float, high: float, text: str, **more: Any) -> Any:
    return field(default=default, metadata={"min": low, "max": high, "help": text, **more})


def _choice(default: str, choices: tuple[str, ...], text: str, **more: Any) -> Any:
    return field(default=default, metadata={"choices": choices, "help": text, **more})


@dataclass(frozen=True)
class LossWeights:
    """What each loss counts; 0 leaves it out, and saves its time. See :mod:`vto_utils.training.stages`."""

    # The warp. Distances in pixels of a 256x192 picture.
    flow: float = _number(0.1, 0, 10, "per pixel of end-point error of the refined flow")
    coarse_flow: float = _number(0.05, 0, 10, "per pixel of end-point error of the spline alone")
    colour: float = _number(1.0, 0, 10, "of the L1 between warped and worn garment")
    features: float = _number(0.2, 0, 10, "of the perceptual distance between warped and worn garment")
    seen: float = _number(1.0, 0, 10, "of cross-entropy and Dice of the garment's visible part")
    cover: float = _number(1.0, 0, 10, "of the worn garment's share that the warped one does not reach")
    spill: float = _number(1.0, 0, 10, "of the warped garment where nothing hides it and it should not be")
    layout: float = _number(1.0, 0, 10, "of cross-entropy and Dice of the target layout")
    smooth: float = _number(3.0, 0, 100, "of the second differences of the flow")
    bending: float = _number(0.1, 0, 100, "of the second differences of the spline's control points")
    # The synthesis.
    image: float = _number(1.0, 0, 10, "of the L1 between try-on and photo, everywhere")
    inside: float = _number(2.0, 0, 100, "of the same where the person is repainted")
    image_features: float = _number(1.0, 0, 10, "of the perceptual distance between try-on and photo")
    composition: float = _number(1.0, 0, 10, "of the L1 between composition mask and visible garment")
    shading_even: float = _number(0.1, 0, 10, "of the shading's total variation")
    shading_one: float = _number(0.1, 0, 10, "of the shading's distance from 1")
    # Both at once.
    joint_warp: float = _number(0.25, 0, 10, "of all losses of the warp in a joint stage")
    adversarial: float = _number(0.0, 0, 10, "of what the discriminator says, late in a joint stage")
    matching: float = _number(10.0, 0, 100, "of feature matching, where there is a discriminator")

    def __post_init__(self) -> None:
        for item in fields(self):
            if not 0 <= getattr(self, item.name) < float("inf"):
                raise InputError(f"The loss weight {item.name} must be 0 or more, not {getattr(self, item.name)}.")


@dataclass(frozen=True)
class StageConfig:
    """One part of a run."""

    trains: str = _choice("warp", TRAINS, "the garment warper, the synthesizer, or both together")
    steps: int = _number(1000, 1, 1_000_000, "optimiser steps", log=True)
    size: tuple[int, int] = (256, 192)  # (height, width) in pixels, multiples of 16
    batch: int = _number(8, 1, 256, "samples in one forward pass of one process", free=True)
    accumulate: int = _number(1, 1, 64, "forward passes in a step: as a larger batch, in less memory", free=True)
    learning_rate: float = _number(5e-4, 1e-6, 1e-1, "of AdamW, at its highest", log=True)
    warp_rate: float = _number(0.2, 0, 1, "of the warper in a joint stage, as a share of that")
    warm_up: float = _number(0.03, 0, 0.5, "share of the steps in which the rate rises")
    final_rate: float = _number(0.01, 0, 1, "share of the rate that is left at the last step")
    adversarial_from: float = _number(0.3, 0, 1, "share of a joint stage's steps before the discriminator judges")

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", _size(self.size))
        if self.trains not in TRAINS:
            raise InputError(f"A stage trains one of {', '.join(TRAINS)}, not '{self.trains}'.")
        for name in ("steps", "batch", "accumulate"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise InputError(f"{name} of a stage must be a whole number, 1 or more, not {value!r}.")
        if not 0 < self.learning_rate <= 1:
            raise InputError(f"learning_rate must be above 0 and at most 1, not {self.learning_rate}.")
        for name in ("warp_rate", "warm_up", "final_rate", "adversarial_from"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} of a stage must be from 0 to 1, not {getattr(self, name)}.")


def _usual_stages() -> tuple[StageConfig, ...]:
    return (
        StageConfig("warp", 30_000, (128, 96), 16, learning_rate=1e-3),
        StageConfig("warp", 30_000, (256, 192), 8, learning_rate=5e-4),
        StageConfig("synth", 30_000, (256, 192), 8, learning_rate=5e-4),
        StageConfig("joint", 10_000, (256, 192), 8, learning_rate=1e-4),
    )


@dataclass(frozen=True)
class TrainConfig:
    """A whole run: its stages in order, the networks, the losses, and how it is watched and kept."""

    stages: tuple[StageConfig, ...] = field(default_factory=_usual_stages)
    losses: LossWeights = field(default_factory=LossWeights)
    perceptual: str = _choice("auto", BACKBONES, "network of the perceptual distances")
    gmm: Mapping[str, Any] = field(default_factory=dict)  # of GMMConfig, where not the product's
    tom: Mapping[str, Any] = field(default_factory=dict)  # of SynthesizerConfig, where not the product's
    discriminator: Mapping[str, Any] = field(default_factory=dict)  # of DiscriminatorConfig, where not the default
    discriminator_rate: float = _number(2.0, 0.1, 10, "learning rate of the discriminator, as a multiple")
    weight_decay: float = _number(0.01, 0, 1, "of AdamW, on matrices and filters only")
    beta1: float = _number(0.9, 0, 0.999, "of AdamW: memory of the gradient's mean")
    beta2: float = _number(0.99, 0, 0.9999, "of AdamW: memory of its square")
    clip: float = _number(1.0, 0, 100, "greatest norm of the gradient; 0 for any")
    average: float = _number(0.999, 0, 0.99999, "decay of the running mean of the weights")
    start_from: str = ""  # folder of a checkpoint whose weights the run begins with
    seed: int = _number(0, 0, 2**32 - 1, "another number gives another run")
    # The data.
    swap: float = _number(1.0, 0, 1, "share of synthetic items in which the garment is changed")
    augment: bool = field(default=True, metadata={"help": "move, colour and spoil items as real photos are"})
    augmentation: Mapping[str, float] = field(default_factory=dict)  # of AugmentationConfig, where not the default
    length: int = _number(10_000, 1, 10**9, "samples of an epoch where they are made on the fly")
    # Where and how comfortably.
    device: str = _choice("auto", ("auto", "cpu", "cuda", "mps"), "where to compute", free=True)
    precision: str = _choice("auto", PRECISIONS, "number format of the forward passes", free=True)
    channels_last: str = _choice("auto", ("auto", "yes", "no"), "memory layout; auto: on a CUDA GPU", free=True)
    workers: int = _number(1, 0, 64, "processes that read samples; 0 reads them in the training one", free=True)
    save_every: float = _number(50.0, 0, 3600, "seconds of work that may be lost at most", free=True)
    keep: int = _number(3, 1, 100, "last checkpoints that stay", free=True)
    validate_every: int = _number(500, 1, 10**6, "steps between validations", free=True)
    validation_samples: int = _number(64, 0, 10**6, "samples of the split test, the same ones always", free=True)
    picture_every: int = _number(500, 1, 10**6, "steps between sample grids", free=True)
    picture_samples: int = _number(6, 0, 64, "rows of a sample grid", free=True)

    def __post_init__(self) -> None:
        _take(self, "stages", tuple(_build(StageConfig, x, f"stages.{n}") for n, x in enumerate(_listed(self.stages))))
        _take(self, "losses", _build(LossWeights, self.losses, "losses"))
        for name in ("gmm", "tom", "discriminator", "augmentation"):
            if not isinstance(getattr(self, name), Mapping):
                raise InputError(f"{name} must be a table of settings, not {getattr(self, name)!r}.")
            _take(self, name, dict(getattr(self, name)))
        if not self.stages:
            raise InputError("A run needs at least one stage.")
        for item in fields(self):
            value, known = getattr(self, item.name), item.metadata
            if "choices" in known and value not in known["choices"]:
                raise InputError(f"{item.name} must be one of {', '.join(known['choices'])}, not {value!r}.")
            if "min" in known and (isinstance(value, bool) or not isinstance(value, (int, float))):
                raise InputError(f"{item.name} must be a number, not {value!r}.")
            if "min" in known and not known["min"] <= value <= known["max"]:
                raise InputError(f"{item.name} must be from {known['min']} to {known['max']}, not {value}.")
            if item.type == "int" and not isinstance(value, int):
                raise InputError(f"{item.name} must be a whole number, not {value!r}.")

    @classmethod
    def quick(cls) -> TrainConfig:
        """A few minutes on a CPU: shows every stage at work and teaches little."""
        small = (128, 96)
        stages = (
            StageConfig("warp", 60, small, 4, learning_rate=1e-3),
            StageConfig("synth", 30, small, 4, learning_rate=1e-3),
            StageConfig("joint", 20, small, 4, learning_rate=2e-4),
        )
        return cls(stages=stages, average=0.9, validate_every=50, validation_samples=4, picture_every=50)

    @property
    def steps(self) -> int:
        """Of all stages together."""
        return sum(stage.steps for stage in self.stages)

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it; ``TrainConfig(**...)`` reads it."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    def identity(self, world: int = 1) -> dict[str, Any]:
        """What makes two runs the same run: all but the free fields, and the samples of a step in all processes."""
        result = {item.name: self.to_dict()[item.name] for item in fields(self) if not item.metadata.get("free")}
        free = {item.name for item in fields(StageConfig) if item.metadata.get("free")}
        stages = zip(self.stages, result["stages"], strict=True)
        result["stages"] = [
            {name: value for name, value in shown.items() if name not in free}
            | {"samples": stage.batch * stage.accumulate * world}
            for stage, shown in stages
        ]
        return result

    def changed(self, settings: Iterable[str]) -> TrainConfig:
        """The configuration with other values: ``["seed=3", "losses.flow=0", "stages.0.steps=50"]``.

        Raises:
            InputError: a setting is not ``key=value``, there is no such key, or the value cannot be used.
        """
        tree = self.to_dict()
        for setting in settings:
            key, separator, text = setting.partition("=")
            if not separator or not key:
                raise InputError(f"The setting '{setting}' cannot be read: write key=value, as losses.flow=0.2.")
            _put(tree, key.strip().split("."), _value(text.strip()), key)
        return TrainConfig.of(tree)

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> TrainConfig:
        """From what JSON or TOML gives.

        Raises:
            InputError: a name or a value cannot be used.
        """
        return _build(cls, dict(tree), "the configuration")


def read_config(path: str | os.PathLike) -> dict[str, Any]:
    """What a .json or .toml file holds: settings of :class:`TrainConfig`, those left out keep their defaults.

    Raises:
        InputError: the file is missing, or it is no such file.
    """
    path = Path(path).expanduser()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"The configuration {path} cannot be read ({reason}): give a .json or .toml file.") from error
    try:
        tree = _toml(text, path) if path.suffix == ".toml" else json.loads(text)
    except ValueError as error:  # of both readers
        raise InputError(f"The configuration {path} cannot be read ({error}): mend it there.") from error
    if not isinstance(tree, dict):
        raise InputError(f"The configuration {path} must be a table of settings: write {{...}}.")
    return tree


def _toml(text: str, path: Path) -> dict[str, Any]:
    try:
        import tomllib
    except ModuleNotFoundError:  # Python 3.10
        raise InputError(f"Reading {path} needs Python 3.11: write the configuration as .json.") from None
    return tomllib.loads(text)


def _take(config: Any, name: str, value: Any) -> None:
    object.__setattr__(config, name, value)


def _listed(value: Any) -> Iterable[Any]:
    if not isinstance(value, (list, tuple)):
        raise InputError(f"stages must be a list of tables, not {value!r}.")
    return value


def _build(kind: type, value: Any, where: str) -> Any:
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        raise InputError(f"{where} must be a table of settings, not {value!r}.")
    known = {item.name for item in fields(kind)}
    for name in value:
        if name not in known:
            raise InputError(f"There is no setting '{name}' in {where}: use one of {', '.join(sorted(known))}.")
    try:
        return kind(**value)
    except TypeError as error:
        raise InputError(f"A value in {where} is of the wrong kind ({error}).") from error


def _put(tree: Any, keys: list[str], value: Any, name: str) -> None:
    for number, key in enumerate(keys):
        last = number == len(keys) - 1
        if isinstance(tree, list):
            if not key.isdigit() or int(key) >= len(tree):
                raise InputError(f"'{name}' names no stage: they are numbered 0 to {len(tree) - 1}.")
            key = int(key)
        elif not isinstance(tree, dict) or (key not in tree and number == 0):
            raise InputError(f"There is no setting '{name}'.")
        if last:
            tree[key] = value
        else:
            if isinstance(tree, dict) and key not in tree:
                raise InputError(f"There is no setting '{name}'.")
            tree = tree[key]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _size(value: Any) -> tuple[int, int]:
    if isinstance(value, str) and re.fullmatch(r"\d{1,5}x\d{1,5}", value):
        value = value.split("x")
    try:
        height, width = (int(n) for n in value)
    except (TypeError, ValueError):
        raise InputError(f"The size {value!r} cannot be read: write height x width, as 256x192.") from None
    if min(height, width) < _MULTIPLE or height % _MULTIPLE or width % _MULTIPLE:
        raise InputError(f"The size {height}x{width} cannot be used: height and width must be multiples of 16.")
    return height, width
