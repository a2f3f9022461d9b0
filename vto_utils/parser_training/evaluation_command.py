"""``python -m vto_utils evaluate-parser``: figures of the human parser, from the command line."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..option_types import add_device
from .command import without_nan

SHORT = "measure the human parser"

DESCRIPTION = """\
Measure the network that labels the pixels of a person on the 100 photos of Clothing Co-Parsing that are never
trained on: intersection over union of every class, and their means."""

EXAMPLES = """\
examples:
  python -m vto_utils evaluate-parser --ccp ccp/ --json figures.json
  python -m vto_utils evaluate-parser --ccp ccp/ --weights run/parser.safetensors --cache run/ccp/ --rules"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--ccp", metavar="DIR", required=True, help="Clothing Co-Parsing, as for train-parser")
    parser.add_argument("--weights", metavar="FILE", help="parser.safetensors of a run (default: the package's own)")
    parser.add_argument("--cache", metavar="DIR", help="folder for poses and masks, as OUT/ccp of a run")
    parser.add_argument("--rules", action="store_true", help="also measure the parser that works by rules")
    parser.add_argument("--json", metavar="FILE", help="also write the figures as JSON")
    add_device(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure, print the tables, and write the JSON that is asked for."""
    from hashlib import sha256

    from .. import assets
    from ..files import atomic_path
    from ..parsing.network import WEIGHTS, NetworkParser
    from .ccp import CCP
    from .evaluation import evaluate
    from .scores import format_figures

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
            "figures": {title: without_nan(figures) for title, figures in columns.items()},
        }
        with atomic_path(options.json) as path:
            path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        print(f"\nWrote {options.json}.")
    return 0
