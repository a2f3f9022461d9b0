"""A whole run of the garment reader in a folder.

OUT/config.json           what was asked for
OUT/log.jsonl             one line a step, and one for every measurement
OUT/clothing/             masks found for the clothing photos
OUT/checkpoints/          the last three: weights, their running mean, optimiser, step
OUT/garment.safetensors   the running mean of the weights, float16: what is shipped
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

from ..resumable import begin, reporter
from .clothing import Clothing
from .evaluation import evaluate, format_figures
from .sources import CCPPeople, Flats, Sources
from .stream import GarmentStream
from .trainer import GarmentTrainConfig, GarmentTrainer


def train(options: argparse.Namespace) -> int:
    """Train, measure, and say where things are.

    Args:
        options: of the command ``train-garment``.

    Raises:
        InputError: a folder is not what it should be, or holds another run.
    """
    out = Path(options.out).expanduser()
    config = _config(options, out)
    clothing = None if options.clothing is None else Clothing(options.clothing, out / "clothing")
    flats = None if options.synth is None else Flats(options.synth)
    people = None if options.ccp is None else CCPPeople(options.ccp)
    if clothing is not None:
        clothing.prepare(options.masks, progress=True)
    sources = Sources(clothing, flats, people)
    stream = GarmentStream(sources, config.size, config.seed, config.steps * config.batch)
    trainer = GarmentTrainer(stream, config, out, options.device)
    begin(trainer, options.resume)
    minutes = math.inf if options.minutes is None else options.minutes
    trainer.fit(minutes, workers=options.workers, callbacks=[reporter(trainer)])
    weights = out / "garment.safetensors"
    print(f"Steps done: {trainer.step} of {config.steps}. The weights are in {weights}.", flush=True)
    if options.evaluate:
        figures = evaluate(trainer.average.module, sources, config.size)
        with open(out / "log.jsonl", "a", encoding="utf-8") as log:
            log.write(json.dumps({"step": trainer.step, "evaluation": figures}) + "\n")
        print(format_figures(figures))
    return 0


def _config(options: argparse.Namespace, out: Path) -> GarmentTrainConfig:
    asked: dict[str, Any] = {name: getattr(options, name) for name in ("batch", "steps", "seed")}
    asked["size"] = None if options.side is None else (options.side, options.side)
    asked = {name: value for name, value in asked.items() if value is not None}
    if options.resume and (out / "config.json").is_file():  # what is not asked for stays as it was
        asked = json.loads((out / "config.json").read_text(encoding="utf-8")) | asked
    return GarmentTrainConfig(**asked)
