"""``python -m vto_utils train-parser``: the human parser, from the command line.

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
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..option_types import add_device, seed, size

if TYPE_CHECKING:
    from .trainer import ParserTrainConfig

SHORT = "train the human parser"

DESCRIPTION = """\
Train the network that labels the pixels of a person, on Clothing Co-Parsing, on synthetic data, or on both.
Stop it whenever you like: started again with --resume it goes on from its last checkpoint, as if it had
never stopped. At the end it is measured on 100 photos it was not trained on."""

EXAMPLES = """\
examples:
  python -m vto_utils train-parser --ccp ccp/ --synth synthetic/ --out run/ --minutes 60
  python -m vto_utils train-parser --ccp ccp/ --synth synthetic/ --out run/ --resume
  python -m vto_utils train-parser --ccp ccp/ --out large/ --start run/parser.safetensors --size 512x384"""

# Options that are settings of the run.
_ASKED = ("size", "batch", "steps", "seed", "learning_rate", "frozen_stages", "start")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--ccp", metavar="DIR", help="Clothing Co-Parsing: photos/, labels/, labels.json")
    parser.add_argument("--synth", metavar="DIR", help="a data set that the command synth made")
    parser.add_argument("--out", metavar="DIR", required=True, help="folder of the run, made if missing")
    parser.add_argument("--minutes", type=float, metavar="M", help="stop after so many minutes (default: at the end)")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in the folder")
    parser.add_argument("--size", type=size, metavar="HxW", help="height x width of the pictures (default: 256x192)")
    parser.add_argument("--batch", type=int, metavar="N", help="pictures a step (default: 8)")
    parser.add_argument("--steps", type=int, metavar="N", help="steps of the whole run (default: 6000)")
    parser.add_argument("--learning-rate", type=float, metavar="R", help="at its highest (default: 0.001)")
    parser.add_argument(
        "--frozen-stages", type=int, metavar="N", help="of the encoder's seven, first N keep their weights (default: 0)"
    )
    parser.add_argument("--start", metavar="FILE", help="parser.safetensors of an earlier run to begin from")
    parser.add_argument("--seed", type=seed, metavar="S", help="another number gives another run (default: 0)")
    parser.add_argument("--workers", type=int, default=1, metavar="K", help="processes that make pictures (default: 1)")
    parser.add_argument(
        "--save-every", type=float, default=3.0, metavar="M", help="minutes between checkpoints (default: 3)"
    )
    parser.add_argument("--no-evaluate", dest="evaluate", action="store_false", help="do not measure at the end")
    add_device(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train in a folder, measure, and say where things are."""
    from ..parsing.network import NetworkParser
    from ..resumable import begin, reporter
    from .ccp import CCP
    from .evaluation import evaluate
    from .scores import format_figures
    from .stream import ParserStream
    from .synthetic import Synthetic
    from .trainer import ParserTrainer

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
            log.write(json.dumps({"step": trainer.step, "evaluation": without_nan(figures)}) + "\n")
        print(format_figures({"network": figures}))
    return 0


def _config(options: argparse.Namespace, out: Path) -> ParserTrainConfig:
    from ..parsing.network import load_parser
    from .trainer import ParserTrainConfig

    asked: dict[str, Any] = {name: getattr(options, name) for name in _ASKED if getattr(options, name) is not None}
    if options.start is not None:
        network, seen = load_parser(options.start)
        asked["network"] = dataclasses.asdict(network.config)
        asked.setdefault("size", seen)
    if options.resume and (out / "config.json").is_file():  # what is not asked for stays as it was
        asked = json.loads((out / "config.json").read_text(encoding="utf-8")) | asked
    return ParserTrainConfig(**asked)


def without_nan(figures: Any) -> Any:
    """NaN, which JSON does not know, as None."""
    if isinstance(figures, dict):
        return {name: without_nan(value) for name, value in figures.items()}
    return None if isinstance(figures, float) and math.isnan(figures) else figures
