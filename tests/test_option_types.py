from __future__ import annotations

import argparse

import pytest

from vto_utils.option_types import add_device, one_of, seed, size, steps


@pytest.mark.parametrize(
    ("text", "expected"), [("512x384", (512, 384)), ("1024X768", (1024, 768)), ("64×100", (64, 100))]
)
def test_size_is_height_and_width(text, expected):
    assert size(text) == expected


@pytest.mark.parametrize(
    ("parse", "text", "complaint"),
    [
        (size, "512", "is no size"),
        (size, "-5x64", "is no size"),
        (size, "63x384", "63 high and 384 wide .* too small"),
        (size, "9000x9000", "too large"),
        (seed, "-1", "is not a seed"),
        (seed, "4294967296", "is not a seed"),
        (seed, "²", "is not a seed"),
        (steps, "1001", "no number of steps"),
        (steps, "-1", "no number of steps"),
        (one_of(("a", "b")), "c", "'c' is not known: use one of a, b"),
    ],
)
def test_what_cannot_be_used_is_told(parse, text, complaint):
    with pytest.raises(argparse.ArgumentTypeError, match=complaint):
        parse(text)


def test_words_and_numbers():
    assert one_of(("a", "b"))("b") == "b"
    assert seed("4294967295") == 2**32 - 1 and seed("0") == 0
    assert steps("1000") == 1000 and steps("0") == 0


def test_device():
    parser = argparse.ArgumentParser()
    add_device(parser, "where it is done")
    assert parser.parse_args([]).device == "auto" and parser.parse_args(["--device", "mps"]).device == "mps"
    assert "where it is done (default: auto)" in " ".join(parser.format_help().split())
    with pytest.raises(SystemExit):
        parser.parse_args(["--device", "tpu"])
