"""``python -m vto_utils synth``: a synthetic data set from the command line."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time

ASSETS = "VTO_SYNTH_ASSETS"  # environment variable
CATEGORIES = ("all", "upper_body", "lower_body", "dresses")

SHORT = "make a synthetic data set"

DESCRIPTION = f"""\
Make training data for try-on: rendered people, each in two garments, with exact masks, labels, key points,
depth and garment flow. The files are in VITON-HD's layout, which other projects read.

The same seed gives the same data, whatever the number of workers. Stop it whenever you like: started again,
it goes on where it was; with a larger count it adds samples. {ASSETS} may name a folder with CC0
skins, hair and fabric photos, which make the data richer; without it the program makes all of them itself."""

EXAMPLES = """\
examples:
  python -m vto_utils synth --count 1000 --out synthetic/
  python -m vto_utils synth --count 200 --size 256x192 --out small/ --workers 2 --preview sheet.png
  python -m vto_utils synth --count 500 --category upper_body --seed 7 --out tops/"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--count", type=_whole, required=True, metavar="N", help="number of samples in the data set")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the data set, made if missing")
    parser.add_argument(
        "--size", type=_size, default=(512, 384), metavar="HxW",
        help="height x width of all pictures, as 256x192 or 1024x768 (default: 512x384)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=_whole, default=0, metavar="S", help="another number gives other data (default: 0)"
    )
    parser.add_argument(
        "--workers", type=_whole, default=1, metavar="K",
        help="processes that make samples, at most one per core; 0 makes them in the starting one (default: 1)",
    )  # fmt: skip
    parser.add_argument("--preview", metavar="FILE", help="also write a picture of up to 60 of the samples")
    parser.add_argument(
        "--category", type=_category, default="all", metavar="|".join(CATEGORIES),
        help="garments to make (default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--held-out", type=_share, default=0.1, metavar="SHARE",
        help="share of samples for the split test, whose people, styles and fabrics are in no other (default: 0.1)",
    )  # fmt: skip
    parser.add_argument(
        "--assets", metavar="DIR", help=f"folder with CC0 skins, hair, fabric photos (default: {ASSETS}, or none)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make the data set that is asked for and say what there is now."""
    started = time.perf_counter()
    if "numpy" not in sys.modules:  # samples must not depend on where they are made
        from .workers import SINGLE_THREAD

        for name, value in SINGLE_THREAD.items():
            os.environ.setdefault(name, value)
    from pathlib import Path

    from .samples import SynthConfig
    from .storage import write_dataset

    assets = options.assets or os.environ.get(ASSETS)
    config = SynthConfig(
        size=options.size, seed=options.seed, held_out=options.held_out, category=options.category,
        assets=Path(assets).expanduser() if assets else None,
    )  # fmt: skip
    report = write_dataset(config, options.out, options.count, workers=options.workers, preview=options.preview)
    seconds = time.perf_counter() - started
    print(
        f"Samples: {report.done} made, {report.skipped} were there before; the folder has {report.splits['train']} for "
        f"training and {report.splits['test']} held out for tests."
    )
    if report.done:
        rate = report.done / max(report.seconds, 1e-6)
        print(f"Time: {seconds:.1f} s, {rate:.2f} samples/s once the work had begun.")
    height, width = options.size
    print(f"The data set is in {options.out}: {report.bytes / 1e6:.1f} MB, {height}x{width} (height x width).")
    if options.preview:
        print(f"Look at {options.preview}.")
    print(f"Next: read it with vto_utils.synth.dataset.SyntheticDataset({options.out!r}).")
    return 0


def _whole(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text.strip()):
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number")
    return int(text)


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(-?\d{1,6})[xX×](-?\d{1,6})", text.strip())
    if not match:
        raise argparse.ArgumentTypeError(f"'{text}' is no size: write height x width in pixels, as 512x384")
    return int(match[1]), int(match[2])


def _share(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no number: write a share from 0 to 1, as 0.1") from None


def _category(text: str) -> str:
    if text not in CATEGORIES:
        raise argparse.ArgumentTypeError(f"'{text}' is not known: use one of {', '.join(CATEGORIES)}")
    return text
