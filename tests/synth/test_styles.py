import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.spatial import cKDTree

from vto_utils.synth import mesh
from vto_utils.synth.shells import load_pattern
from vto_utils.synth.styles import (
    ARM_LENGTH,
    HEM_LENGTHS,
    LEGS,
    NECKLINES,
    NONE,
    SKIRTS,
    SLEEVES,
    Style,
    edges,
    looseness,
)
from vto_utils.synth.wardrobe import NECK_HALF

DEEP = {"v": (0.6, 1.6), "square": (0.2, 0.8)}
LEG_WIDTHS = {"skinny": (0.01, 0.02), "straight": (0.09, 0.24), "wide": (0.35, 0.75), "tapered": (0.2, 0.06)}
SKIRT_FLARES = {"pencil": 0.0, "straight": 0.03, "A-line": 0.12, "flared": 0.32}


def top(sleeve, neckline, *, end=0, hem=-0.5, **more):
    """A top at one end (0 or 1) of what wardrobes have."""
    width = (0.92, 1.12)[end]
    strap = (0.9, 1.25)[end] if sleeve == "strap" else NECK_HALF[neckline] * width + (0.2, 0.7)[end]
    depth = DEEP.get(neckline, (0.0, 0.6))[end]
    style = Style(
        "top", f"{sleeve} {neckline}", (0.02, 0.57)[end], 0.02, sleeve, SLEEVES[sleeve][end], neckline=neckline,
        neck_width=width, neck_depth=depth, strap=strap, hem=hem,
    )  # fmt: skip
    return replace(style, **more)


def trousers(shape, length, end=0, waist=1.3):
    loose, lower = LEG_WIDTHS[shape]
    return Style("trousers", f"{shape} {length}", loose, 0.0, hem=LEGS[length][end], leg_loose=lower, waist=waist)


def skirt(shape, length, end=0, waist=1.3):
    return Style("skirt", f"{shape} {length}", 0.05, SKIRT_FLARES[shape], hem=SKIRTS[length][end], waist=waist)


def dress(sleeve, neckline, shape, length, end=0):
    return top(sleeve, neckline, end=end, hem=SKIRTS[length][end], kind="dress", flare=SKIRT_FLARES[shape])


TOPS = [(sleeve, neckline) for sleeve in SLEEVES for neckline in NECKLINES if sleeve != "strap" or neckline == "scoop"]
GARMENTS = {
    **{f"{sleeve} {neckline}": [top(sleeve, neckline, end=end) for end in (0, 1)] for sleeve, neckline in TOPS},
    **{
        f"{name} {sleeve}": [top(sleeve, "scoop", end=end, hem=HEM_LENGTHS[name][end], hem_curve=0.5 * end)]
        for end, sleeve in enumerate(("tank", "long"))
        for name in HEM_LENGTHS
    },
    **{
        f"{shape} {length}": [trousers(shape, length, end, (0.75, 1.7)[end]) for end in (0, 1)]
        for shape in LEG_WIDTHS
        for length in LEGS
    },
    **{
        f"{shape} {length}": [skirt(shape, length, end, (1.0, 1.7)[end]) for end in (0, 1)]
        for shape in SKIRT_FLARES
        for length in SKIRTS
    },
    **{
        f"dress {sleeve}": [dress(sleeve, "scoop" if sleeve == "strap" else "v", shape, length, end=number % 2)]
        for number, (sleeve, shape, length) in enumerate(
            zip(SLEEVES, [*SKIRT_FLARES] * 2, [*SKIRTS][::-1] * 2, strict=False)
        )
    },
}


def panels(pattern):
    return pattern.faces[: pattern.front], pattern.faces[pattern.front :]


@cache
def cut_out(style, sides=2):
    """Points (x, y, z) of the garment's front and, with two sides, of its back, cut exactly."""
    pattern = load_pattern(style.shell)
    inside = edges(style, pattern).inside
    found = []
    for part in panels(pattern)[:sides]:
        matrix, faces, _ = mesh.split(inside, part)
        found.append((matrix @ pattern.points)[np.unique(faces)])
    return found


@cache
def laid(shell):
    """For each panel: its edges, and the area around every vertex, dm2."""
    pattern = load_pattern(shell)
    flat = pattern.panels[1, pattern.angles.index(0.0) if 0.0 in pattern.angles else 0]
    found = []
    for faces in panels(pattern):
        one, two = flat[faces[:, 1]] - flat[faces[:, 0]], flat[faces[:, 2]] - flat[faces[:, 0]]
        areas = np.abs(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]) / 2
        found.append((mesh.edges(faces), np.bincount(faces.ravel(), np.repeat(areas / 3, 3), len(flat))))
    return found


@pytest.mark.parametrize("name", GARMENTS)
def test_every_garment_is_one_piece_on_each_side(name):
    for style in GARMENTS[name]:
        inside = edges(style, load_pattern(style.shell)).inside > 0
        for pairs, area in laid(style.shell):
            own = pairs[inside[pairs].all(1)]  # what is left of a cut triangle hangs on its inner corners
            graph = sp.csr_matrix((np.ones(len(own)), (own[:, 0], own[:, 1])), (len(inside),) * 2)
            piece = sp.csgraph.connected_components(graph, directed=False)[1]
            sizes = np.bincount(piece[inside], area[inside])
            assert sizes.sum() > 1.5  # dm2, half of the smallest hot pants
            assert 1 - sizes.max() / sizes.sum() < 0.005, style


@pytest.fixture(scope="module")
def partners():
    found = {}
    for shell in ("robe", "trousers"):
        points = load_pattern(shell).points
        distance, partner = cKDTree(points).query(points * [-1, 1, 1])
        found[shell] = partner, distance < 0.01
    return found


@pytest.mark.parametrize("name", GARMENTS)
def test_every_garment_is_the_same_on_both_sides(name, partners):
    for style in GARMENTS[name]:
        partner, paired = partners[style.shell]
        inside = edges(style, load_pattern(style.shell)).inside
        assert inside.dtype == np.float32
        other = inside[partner]
        near = paired & (np.minimum(np.abs(inside), np.abs(other)) < 0.5)
        assert np.percentile(np.abs(inside - other)[near], 99) < 0.06
        clear = paired & (np.abs(inside) > 0.05)
        assert ((inside > 0) == (other > 0))[clear].all()


@pytest.mark.parametrize("hem", [1.2, -0.5, -2.4])
def test_the_hem_is_where_it_is_told(hem):
    pattern = load_pattern("robe")
    low = [points[:, 1].min() for points in cut_out(top("short", "crew", hem=hem))]
    np.testing.assert_allclose(low, hem, atol=0.02)
    for hem_curve in (0.4, -0.12):  # the sides are higher, or lower, than the middle
        points = cut_out(top("short", "crew", hem=hem, hem_curve=hem_curve))[0]
        middle = points[np.abs(points[:, 0]) < 0.15, 1].min()
        side = points[np.abs(points[:, 0]) > 1.62, 1].min()
        assert middle == pytest.approx(hem, abs=0.03)
        assert side == pytest.approx(hem + hem_curve, abs=0.12) or np.abs(points[:, 0]).max() < 1.62
    away = edges(top("short", "crew", hem=hem), pattern).hem
    trunk = pattern.arm < 0.2
    np.testing.assert_allclose(away[trunk], pattern.points[trunk, 1] - hem, atol=1e-5)


@pytest.mark.parametrize("sleeve", ["cap", "short", "half", "three-quarter", "long"])
@pytest.mark.parametrize("end", [0, 1])
def test_a_sleeve_ends_where_it_is_told(sleeve, end):
    pattern = load_pattern("robe")
    style = top(sleeve, "crew", end=end)
    cut = edges(style, pattern)
    on_arm = pattern.arm > 0.3
    np.testing.assert_allclose(cut.cuff[on_arm] / ARM_LENGTH + pattern.along[on_arm], style.sleeve_length, atol=1e-3)
    inside = (cut.inside > 0) & on_arm
    assert pattern.along[inside].max() == pytest.approx(style.sleeve_length, abs=0.03)
    assert (cut.cuff[pattern.arm < 0.2] == NONE).all()


@pytest.mark.parametrize("sleeve", ["tank", "strap"])
def test_without_sleeves_the_arms_are_bare(sleeve):
    pattern = load_pattern("robe")
    for end in (0, 1):
        inside = edges(top(sleeve, "scoop", end=end), pattern).inside > 0
        assert pattern.along[inside & (pattern.arm > 0.5)].max(initial=0) < 0.15  # over the shoulder's end at most
        assert np.abs(pattern.points[inside, 0]).max() < 2.3
    longer = edges(top(sleeve, "scoop"), pattern).inside > 0
    np.testing.assert_array_equal(longer, edges(top(sleeve, "scoop", sleeve_length=0.9), pattern).inside > 0)


def front_of_neck(style, across=0.0):
    """Height of the neckline in front, ``across`` from the middle line."""
    points = cut_out(style, 1)[0]
    return points[np.abs(np.abs(points[:, 0]) - across) < 0.12, 1].max()


def test_necklines_differ_as_their_names_say():
    height = {name: front_of_neck(top("short", name, neck_width=1.0, neck_depth=0.7)) for name in NECKLINES}
    assert height["high"] > height["polo"] > height["scoop"]
    assert min(height["crew"], height["boat"]) > max(height["scoop"], height["v"], height["square"])
    deep = [front_of_neck(top("short", "v", neck_depth=depth)) for depth in (0.6, 1.6)]
    assert deep[0] - deep[1] == pytest.approx(1.0, abs=0.3)
    # a V rises from the middle outwards, a square does not
    v, square = (top("short", name, neck_width=1.0, neck_depth=0.8) for name in ("v", "square"))
    assert front_of_neck(v, 0.6) - front_of_neck(v) > 0.4
    assert abs(front_of_neck(square, 0.6) - front_of_neck(square)) < 0.1
    # a boat is higher in the middle than a crew, and wider
    boat, crew = (top("short", name, neck_width=1.0) for name in ("boat", "crew"))
    assert front_of_neck(boat) > front_of_neck(crew) and front_of_neck(boat, 1.2) < front_of_neck(crew, 1.2) - 0.2
    # behind, everything reaches up to the nape
    pattern = load_pattern("robe")
    back = np.unique(panels(pattern)[1])
    nape = back[(np.abs(pattern.points[back, 0]) < 0.3) & (pattern.points[back, 1] < 5.7)]
    for name in NECKLINES:
        assert (edges(top("short", name), pattern).neck[nape] > 0).all()


def test_a_wider_strap_covers_more_of_the_shoulder():
    pattern = load_pattern("robe")
    worn = [edges(top("tank", "crew", strap=strap), pattern).inside > 0 for strap in (1.3, 1.5, 1.7)]
    for less, more in zip(worn, worn[1:], strict=False):
        assert (less & ~more).sum() < 5 and (more & ~less).sum() > 50


def test_trousers_and_skirts_reach_from_waist_to_hem():
    for style in (trousers("straight", "bermuda"), skirt("A-line", "midi", 1, 1.0)):
        for points in cut_out(style):
            assert points[:, 1].min() == pytest.approx(style.hem, abs=0.06)
            assert points[:, 1].max() == pytest.approx(style.waist, abs=0.06)
    pattern = load_pattern("robe")
    worn = edges(skirt("flared", "maxi"), pattern).inside > 0
    assert pattern.arm[worn].max() <= 0.3  # no hand is part of a skirt


@pytest.mark.parametrize("kind", ["top", "trousers", "skirt", "dress"])
def test_a_style_is_plain_data_with_a_shell_and_a_category(kind):
    style = {
        "top": top("long", "v"), "trousers": trousers("wide", "long"), "skirt": skirt("pencil", "mini"),
        "dress": dress("tank", "boat", "flared", "maxi"),
    }[kind]  # fmt: skip
    assert Style(**json.loads(json.dumps(style.params()))) == style
    assert style.shell == ("trousers" if kind == "trousers" else "robe")
    expected = {"top": "upper_body", "dress": "dresses", "trousers": "lower_body", "skirt": "lower_body"}
    assert style.category == expected[kind]


@pytest.mark.parametrize("name", GARMENTS)
def test_looseness_is_never_negative(name):
    for style in GARMENTS[name]:
        loose = looseness(style, load_pattern(style.shell))
        assert loose.dtype == np.float32 and loose.shape == (len(load_pattern(style.shell).points),)
        assert loose.min() >= 0 and loose.max() < 3


def test_looseness_follows_the_style():
    robe, legs = load_pattern("robe"), load_pattern("trousers")
    style = top("long", "crew", end=0, loose=0.3, sleeve_loose=0.2, cuff_taper=0.8)
    loose = looseness(style, robe)
    y, trunk = robe.points[:, 1], robe.arm < 0.01
    assert loose[trunk & (np.abs(y - 2) < 0.2)].mean() == pytest.approx(0.3, abs=0.03)
    assert loose[trunk & (y > 5.2)].max() < 0.02  # it sits on the shoulders
    sleeve = robe.arm > 0.99
    upper, cuff = (loose[sleeve & (np.abs(robe.along - t) < 0.05)].mean() for t in (0.35, 0.95))
    assert cuff < 0.4 * upper
    cinched = looseness(replace(style, cinch=0.9), robe)
    waist = trunk & (np.abs(y - 1.35) < 0.1)
    assert cinched[waist].mean() < 0.2 * loose[waist].mean()
    high = looseness(replace(style, neckline="high"), robe)
    assert high[trunk & (y > 5.0)].sum() < loose[trunk & (y > 4.5)].sum()
    wide = looseness(trousers("wide", "long"), legs)
    y = legs.points[:, 1]
    assert wide[y < -5].mean() == pytest.approx(0.75, abs=0.02)
    assert wide[np.abs(y + 1) < 0.2].mean() == pytest.approx(0.35, abs=0.03)
    assert wide[y > 1.4].max() < 0.01  # the waistband is tight
