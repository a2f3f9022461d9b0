"""``python -m vto_utils train-garment``: the garment reader, from the command line. Names and texts; no torch."""

from __future__ import annotations

import argparse

SHORT = "train the garment reader"

DESCRIPTION = """\
Train the network that reads garment photos - where the garment is, what it is, whether it is one - on the CC0
clothing photos, on synthetic flats, or on both; on people, if Clothing Co-Parsing is given. Stop it whenever you
like: started again with --resume it goes on from its last checkpoint, as if it had never stopped. At the end it
is measured on the tenth of the clothing photos, the flats and the people it was not trained on."""

EXAMPLES = """\
examples:
  python -m vto_utils train-garment --clothing clothing/ --synth synthetic/ --ccp ccp/ --out run/
  python -m vto_utils train-garment --clothing clothing/ --synth synthetic/ --ccp ccp/ --out run/ --resume"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--clothing", metavar="DIR", help="photos of garments: images/, images.csv")
    parser.add_argument("--synth", metavar="DIR", help="a data set that the command synth made")
    parser.add_argument("--ccp", metavar="DIR", help="Clothing Co-Parsing, for its people: photos/, labels/")
    parser.add_argument("--out", metavar="DIR", required=True, help="folder of the run, made if missing")
    parser.add_argument("--minutes", type=float, metavar="M", help="stop after so many minutes (default: at the end)")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in the folder")
    parser.add_argument(
        "--masks", type=int, metavar="N", help="look for masks of so many clothing photos, 0.3 s each (default: all)"
    )
    parser.add_argument("--side", type=int, metavar="N", help="height and width of the pictures (default: 224)")
    parser.add_argument("--batch", type=int, metavar="N", help="pictures a step (default: 12)")
    parser.add_argument("--steps", type=int, metavar="N", help="steps of the whole run (default: 2000)")
    parser.add_argument("--seed", type=int, metavar="S", help="another number gives another run (default: 0)")
    parser.add_argument("--workers", type=int, default=1, metavar="K", help="processes that make pictures (default: 1)")
    parser.add_argument("--no-evaluate", dest="evaluate", action="store_false", help="do not measure at the end")
    parser.add_argument(
        "--device", default="auto", metavar="auto|cpu|cuda|mps", help="where to compute (default: auto)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train in a folder."""
    from .folder import train

    return train(options)
