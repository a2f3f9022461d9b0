"""The commands ``train-parser`` and ``evaluate-parser``.

A run is a folder::

    OUT/config.json          what was asked for
    OUT/log.jsonl            one line a step, and one for every measurement
    OUT/ccp/                 poses and person masks of the photos
    OUT/checkpoints/         the last three: weights, their running mean, optimiser, step
    OUT/parser.safetensors   the running mean of the weights, float16: what is shipped
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..files import atomic_path
from ..parsing.network import WEIGHTS, NetworkParser, load_parser
from ..resumable import begin, reporter
from .ccp import CCP
from .evaluation import evaluate
from .scores import format_figures
from .stream import ParserStream
from .synthetic import Synthetic
from .trainer import ParserTrainConfig, ParserTrainer

# Options that are settings of the run.
_ASKED = ("size", "batch", "steps", "seed", "learning_rate", "frozen_stages", "start")


def train(options: argparse.Namespace) -> int:
    """``train-parser``."""
    out = Path(options.out).expanduser()
    config = _config(options, out)
    ccp = None if options.ccp is None else CCP(options.ccp, out / "ccp")
    if ccp is not None:
        ccp.prepare(progress=True)
    synthetic = None if options.synth is None else Synthetic(options.synth)
    length = config.steps * config.batch
    stream = ParserStream(ccp, synthetic, config.size, config.seed, config.synthetic_share, length)
    trainer = ParserTrainer(stream, config, out, options.device)
    begin(trainer, options.resume)
    minutes = math.inf if options.minutes is None else options.minutes
    trainer.fit(minutes, options.save_every, options.workers, callbacks=[reporter(trainer)])
    print(f"Steps done: {trainer.step} of {config.steps}. The weights are in {out / 'parser.safetensors'}.", flush=True)
    if ccp is not None and options.evaluate:
        figures = evaluate(NetworkParser(trainer.average.module, config.size), ccp, progress=True)
        with open(out / "log.jsonl", "a", encoding="utf-8") as log:
            log.write(json.dumps({"step": trainer.step, "evaluation": _without_nan(figures)}) + "\n")
        print(format_figures({"network": figures}))
    return 0


def _config(options: argparse.Namespace, out: Path) -> ParserTrainConfig:
    asked: dict[str, Any] = {name: getattr(options, name) for name in _ASKED if getattr(options, name) is not None}
    if options.start is not None:
        network, size = load_parser(options.start)
        asked["network"] = dataclasses.asdict(network.config)
        asked.setdefault("size", size)
    if options.resume and (out / "config.json").is_file():  # what is not asked for stays as it was
        asked = json.loads((out / "config.json").read_text(encoding="utf-8")) | asked
    return ParserTrainConfig(**asked)


def measure(options: argparse.Namespace) -> int:
    """``evaluate-parser``."""
    from .. import assets

    weights = WEIGHTS if options.weights is None else Path(options.weights).expanduser()
    parser = NetworkParser.load(weights, options.device)
    ccp = CCP(options.ccp, assets.cache_dir() / "ccp" if options.cache is None else options.cache)
    ccp.prepare(progress=True)
    columns = {"network": evaluate(parser, ccp, progress=True)}
    if options.rules:
        from ..parsing.rules import RuleParser

        columns["rules"] = evaluate(RuleParser(), ccp, progress=True)
    print(f"{len(ccp.test)} photos that were not trained on; {weights}, {parser.size[0]}x{parser.size[1]}.\n")
    print(format_figures(columns, classes=True))
    if options.json:
        report = {
            "photos": len(ccp.test),
            "weights": {"file": weights.name, "sha256": sha256(weights.read_bytes()).hexdigest(), "size": parser.size},
            "figures": {title: _without_nan(figures) for title, figures in columns.items()},
        }
        with atomic_path(options.json) as path:
            path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        print(f"\nWrote {options.json}.")
    return 0


def _without_nan(figures: Any) -> Any:
    """NaN, which JSON does not know, as None."""
    if isinstance(figures, dict):
        return {name: _without_nan(value) for name, value in figures.items()}
    return None if isinstance(figures, float) and math.isnan(figures) else figures
