"""Options of the command line: what they may be, as functions that argparse takes as ``type``, and a common one.

Imports nothing heavy: --help needs it.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence

DEVICES = ("auto", "cpu", "cuda", "mps")  # of the module runtime; a test compares them


def add_device(parser: argparse.ArgumentParser, purpose: str = "where to compute") -> None:
    """Add the option ``--device``."""
    parser.add_argument(
        "--device", type=one_of(DEVICES), default="auto", metavar="|".join(DEVICES), help=f"{purpose} (default: auto)"
    )


def one_of(choices: Sequence[str]) -> Callable[[str], str]:
    """A type that knows these words only."""

    def parse(text: str) -> str:
        if text not in choices:
            raise argparse.ArgumentTypeError(f"'{text}' is not known: use one of {', '.join(choices)}")
        return text

    return parse


def size(text: str) -> tuple[int, int]:
    """'512x384' -> (512, 384), height first."""
    match = re.fullmatch(r"(\d{1,6})[xX×](\d{1,6})", text.strip())
    if not match:
        raise argparse.ArgumentTypeError(f"'{text}' is no size: write height x width in pixels, as 512x384")
    height, width = int(match[1]), int(match[2])
    what = f"{height} high and {width} wide (the height comes first)"
    if min(height, width) < 64:
        raise argparse.ArgumentTypeError(f"{what} is too small: use at least 64 pixels on each side")
    if height * width > 64_000_000:
        raise argparse.ArgumentTypeError(f"{what} is too large: use at most 64 million pixels")
    return height, width


def seed(text: str) -> int:
    """A whole number that every random generator takes."""
    if not (text.isascii() and text.isdigit() and int(text) < 2**32):
        raise argparse.ArgumentTypeError(f"'{text}' is not a seed: use a whole number from 0 to {2**32 - 1}")
    return int(text)


def steps(text: str) -> int:
    """A number of steps that somebody can wait for."""
    if not (text.isascii() and text.isdigit() and int(text) <= 1000):
        raise argparse.ArgumentTypeError(f"'{text}' is no number of steps: use a whole number from 0 to 1000")
    return int(text)
