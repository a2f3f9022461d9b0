"""``python -m vto_utils evaluate``: figures of the try-on, from the command line."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from ..option_types import add_device, one_of, size

SHORT = "measure the try-on"

DESCRIPTION = """\
Measure the try-on where the right result is known: on samples held out from the training of a data set (--data),
with and without networks, or on real photos of people who wear exactly the given garment (--pairs).

Variants: geometric, the try-on without networks; spline, the networks' coarse warp alone; flow, their whole warp;
full, warp and synthesis; painted, the try-on that paints what the networks decide.

Figures are means over samples, in total and by category: the garment's overlap with the truth (IoU), the end-point
error of the flow in pixels at 256x192, structural similarity (SSIM) of the picture and of the box around what is
repainted, perceptual distance, and L1 of colours in [0, 1] where anything is repainted."""

EXAMPLES = """\
examples:
  python -m vto_utils evaluate --data synthetic/
  python -m vto_utils evaluate --data synthetic/ --weights run/best/ --json figures.json --sheet samples.png
  python -m vto_utils evaluate --pairs pairs.txt --persons people/ --garments garments/"""

VARIANTS = ("geometric", "spline", "flow", "full", "painted")
BACKBONES = ("auto", "vgg19", "efficientnet-lite0", "none")
_SIZES = {"data": (256, 192), "pairs": (512, 384)}
_CELL = (256, 192)  # (height, width) of a picture in the contact sheet
# Options of one use; with the other they would be ignored in silence.
_OF_DATA = ("variants", "split", "count")
_OF_PAIRS = ("persons", "garments")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--data", metavar="DIR", help="a data set: what synth or preprocess made, VITON-HD, DressCode")
    parser.add_argument("--weights", metavar="FOLDER", help="trained networks, as OUT/best of the command train")
    parser.add_argument(
        "--variants", nargs="+", type=one_of(VARIANTS), metavar="NAME",
        help=f"what to measure: {', '.join(VARIANTS)} (default: all, geometric alone without weights)",
    )  # fmt: skip
    parser.add_argument(
        "--split", type=one_of(("test", "train")), metavar="test|train", help="part of the data set (default: test)"
    )
    parser.add_argument("--count", type=_number, metavar="N", help="samples, evenly spread (default: 500)")
    parser.add_argument("--pairs", metavar="FILE", help="true pairs of real photos, 'PERSON.jpg GARMENT.jpg' a line")
    parser.add_argument("--persons", metavar="DIR", help="photos of the people of --pairs")
    parser.add_argument("--garments", metavar="DIR", help="photos of the garments of --pairs")
    parser.add_argument(
        "--size", type=size, metavar="HxW",
        help="height x width at which pictures are compared (default: 256x192 with --data, 512x384 with --pairs)",
    )  # fmt: skip
    parser.add_argument(
        "--perceptual", type=one_of(BACKBONES), default="efficientnet-lite0", metavar="NAME",
        help=f"network of the perceptual distance: {', '.join(BACKBONES)}; figures of different ones cannot be "
        "compared (default: efficientnet-lite0)",
    )  # fmt: skip
    parser.add_argument("--json", metavar="FILE", help="also write figures and settings as JSON")
    parser.add_argument("--sheet", metavar="FILE", help="also write the first samples as a picture, .png .jpg .webp")
    parser.add_argument("--rows", type=_number, default=8, metavar="N", help="samples in that picture (default: 8)")
    add_device(parser, "where networks compute")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure, print the table, write what is asked for."""
    _check(options)
    report, text, sheet = (_of_data if options.data else _of_pairs)(options)
    print(text)
    if options.json:
        from .tables import write_json

        write_json(report, options.json)
        print(f"\nWrote {options.json}.")
    if options.sheet:
        from ..images import save_image
        from ..plots import labelled_sheet

        pictures, columns = sheet
        save_image(labelled_sheet([p for _, p in pictures], [t for t, _ in pictures], columns, _CELL), options.sheet)
        print(f"Wrote {options.sheet}.")
    return 0


def _check(options: argparse.Namespace) -> None:
    """Say what cannot be done before any work."""
    from ..errors import InputError
    from ..images import check_writable

    if bool(options.data) == bool(options.pairs):
        raise InputError("Give either --data, a data set, or --pairs, a list of real photos.")
    wrong = _OF_PAIRS if options.data else _OF_DATA
    for name in wrong:
        if getattr(options, name) is not None:
            raise InputError(f"--{name} belongs to --{'pairs' if options.data else 'data'}: leave it out.")
    if options.pairs and not (options.persons and options.garments):
        raise InputError("--pairs needs --persons and --garments, the folders of its photos.")
    if options.json:
        check_writable(options.json, suffixes=None)
    if options.sheet:
        check_writable(options.sheet)


def _of_data(options: argparse.Namespace) -> tuple[dict[str, Any], str, tuple]:
    from ..datasets import open_dataset
    from . import tables
    from .measures import Meter
    from .samples import evaluate
    from .variants import methods

    at, split, count = options.size or _SIZES["data"], options.split or "test", options.count or 500
    names = [name for name in VARIANTS if name in (options.variants or (VARIANTS if options.weights else VARIANTS[:1]))]
    dataset = open_dataset(options.data, split, at, swap=1.0, exchange=False)
    meter = Meter.make(options.perceptual, options.device)
    chosen = methods(names, options.weights, meter.device)
    weights = None if names == ["geometric"] else tables.weights_facts(options.weights)
    found = evaluate(dataset, chosen, meter, count, options.rows if options.sheet else 0, progress=True)

    lines = [f"Data: {str(dataset).rstrip('.')}."]
    lines.append(f"Measured: {found.count} of them at {at[0]}x{at[1]} (height x width), on {meter.device}.")
    if weights:
        lines.append(f"Networks: {options.weights}.")
    lines += meter.notes
    lines += found.notes()
    settings = {"size": at, "split": split, "count": count, "swap": True, "device": meter.device}
    report = {
        "data": {
            "folder": Path(options.data).expanduser().resolve().name,
            "layout": found.layout,
            "sha256": found.digest,
        },
        "weights": weights,
        "settings": settings | meter.settings(),
        "versions": tables.versions(),
        **found.figures(),
    }
    return report, "\n".join(lines) + "\n\n" + tables.format_figures(found.figures()), found.sheet()


def _of_pairs(options: argparse.Namespace) -> tuple[dict[str, Any], str, tuple]:
    from . import tables
    from .measures import Meter
    from .pairs import measure_pairs, true_pairs

    at = options.size or _SIZES["pairs"]
    pairs = true_pairs(options.pairs, options.persons, options.garments)
    meter = Meter.make(options.perceptual, options.device)
    found = measure_pairs(pairs, meter, at, options.weights, options.rows if options.sheet else 0, progress=True)
    lines = [f"{len(pairs)} true pairs of {options.pairs}; compared with the photo at {at[0]}x{at[1]} at most."]
    lines += [*meter.notes, *(f"Left out: {reason}" for reason in found.refusals)]
    report = {
        "pairs": {"file": Path(options.pairs).name, "count": len(pairs), "refused": len(found.refusals)},
        "weights": found.weights,
        "settings": {"size": at, "device": meter.device} | meter.settings(),
        "versions": tables.versions(),
        **found.figures(),
    }
    return report, "\n".join(lines) + "\n\n" + tables.format_pairs(found.figures()), found.sheet()


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of samples: write 1 or more")
    return int(text)
