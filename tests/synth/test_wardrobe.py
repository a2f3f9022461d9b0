import json
from collections import Counter

import numpy as np
import pytest

from vto_utils.synth.seeds import stream
from vto_utils.synth.styles import HEM_LENGTHS, LEGS, NECKLINES, SKIRTS, SLEEVES, Style
from vto_utils.synth.wardrobe import (
    HELD_OUT,
    LEG_SHAPES,
    NECK_HALF,
    SKIRT_SHAPES,
    TOP_HEMS,
    TOP_NECKS,
    TOP_SLEEVES,
    sample_style,
    womens,
)

KINDS = ("top", "trousers", "skirt", "dress")


def drawn(kind, held_out, count=200):
    return [sample_style(stream(8, k, kind), kind, held_out) for k in range(count)]


@pytest.fixture(scope="module")
def anything():
    return {kind: drawn(kind, None, 600) for kind in KINDS}


def test_tables_name_what_styles_can_cut():
    assert set(TOP_SLEEVES) == set(SLEEVES)
    assert set(TOP_NECKS) == set(NECKLINES) == set(NECK_HALF)
    assert set(TOP_HEMS) == set(HEM_LENGTHS)
    for table in (TOP_SLEEVES, TOP_NECKS, TOP_HEMS, LEG_SHAPES, SKIRT_SHAPES):
        assert sum(table.values()) == pytest.approx(1)
        assert min(table.values()) > 0


@pytest.mark.parametrize("kind", KINDS)
def test_held_out_families_are_kept_apart(kind):
    assert all(style.family in HELD_OUT for style in drawn(kind, True, 60))
    assert not any(style.family in HELD_OUT for style in drawn(kind, False))


def test_without_a_wish_both_occur(anything):
    for kind in KINDS:
        share = np.mean([style.family in HELD_OUT for style in anything[kind]])
        assert 0.02 < share < 0.4, kind


def test_every_held_out_family_is_worn_by_somebody():
    seen = {style.family for kind in KINDS for style in drawn(kind, True, 150)}
    assert seen == HELD_OUT


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_stream_gives_the_same_style(kind):
    assert sample_style(stream(1, 2, "a"), kind, None) == sample_style(stream(1, 2, "a"), kind, None)
    assert sample_style(stream(1, 2, "a"), kind, None) != sample_style(stream(1, 3, "a"), kind, None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_drawn_style_is_plain_data(kind):
    for style in drawn(kind, None, 20):
        assert style.kind == kind
        assert Style(**json.loads(json.dumps(style.params()))) == style


def test_numbers_are_those_of_the_families(anything):
    for style in anything["top"] + anything["dress"]:
        low, high = SLEEVES[style.sleeve]
        assert low <= style.sleeve_length <= high
        assert style.neckline in NECKLINES and 0 <= style.neck_depth <= 1.6
        assert 0 < style.loose < 0.6 and style.flare >= 0 and 0 <= style.cinch <= 1
        if style.sleeve == "tank":  # the strap has some width
            assert style.strap >= NECK_HALF[style.neckline] * style.neck_width + 0.19
    for style in anything["top"]:
        assert style.family == f"{style.sleeve} {style.neckline}"
        assert any(low <= style.hem <= high for low, high in HEM_LENGTHS.values())
    for style in anything["trousers"]:
        shape, length = style.family.split(" ", 1)
        assert shape in LEG_SHAPES and LEGS[length][0] <= style.hem <= LEGS[length][1]
        assert style.waist > style.hem + 1
    for kind in ("skirt", "dress"):
        for style in anything[kind]:
            if style.family not in HELD_OUT or kind == "skirt":
                shape, length = style.family.split(" ", 1)
                assert shape in SKIRT_SHAPES and SKIRTS[length][0] <= style.hem <= SKIRTS[length][1]


def test_shares_are_those_of_the_tables(anything):
    tops = Counter(style.sleeve for style in anything["top"])
    for name in ("short", "long"):
        assert tops[name] / 600 == pytest.approx(TOP_SLEEVES[name], abs=0.07)
    assert set(tops) == set(TOP_SLEEVES)
    legs = Counter(style.family.split(" ", 1)[0] for style in anything["trousers"])
    for name, share in LEG_SHAPES.items():
        assert legs[name] / 600 == pytest.approx(share, abs=0.06)
    skirts = Counter(style.family.split(" ", 1)[0] for style in anything["skirt"])
    for name, share in SKIRT_SHAPES.items():
        assert skirts[name] / 600 == pytest.approx(share, abs=0.06)
    assert {style.neckline for style in anything["top"]} == set(NECKLINES)


def test_widths_go_with_shapes(anything):
    def mean(shape):
        return np.mean([style.leg_loose for style in anything["trousers"] if style.family.startswith(shape)])

    assert mean("skinny") < mean("tapered") < mean("straight") < mean("wide")
    flare = {
        shape: np.mean([style.flare for style in anything["skirt"] if style.family.startswith(shape)])
        for shape in SKIRT_SHAPES
    }
    assert flare["pencil"] < flare["straight"] < flare["A-line"] < flare["flared"]


def test_who_wears_what(anything):
    assert all(womens(style) for kind in ("skirt", "dress") for style in anything[kind])
    assert not any(womens(style) for style in anything["trousers"])
    tops = [womens(style) for style in anything["top"]]
    assert 0.02 < np.mean(tops) < 0.4


def test_unknown_kinds_are_errors():
    with pytest.raises(KeyError):
        sample_style(stream(0, 0, ""), "hat", None)
