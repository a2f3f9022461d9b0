from __future__ import annotations

import cv2
import numpy as np
import pytest
from samples import DRAWN, Drawing, arc, mirror, other_side

from vto_utils import silhouette
from vto_utils.errors import InputError
from vto_utils.silhouette import Landmarks, Sleeve, crotch_point, lower_landmarks, upper_landmarks

BACK = (24, 38, 72)  # the inside of the back, darker than the cloth
UPPER_POINTS = {f"{side}_{n}" for side in ("left", "right") for n in ("neck", "shoulder", "underarm", "hem")} | {"hem"}


def read(name: str, flip: bool = False, factor: float = 1.0) -> Landmarks:
    """Landmarks of a drawn garment."""
    draw, category = DRAWN[name]
    drawing = draw()
    mask, picture = drawing.mask(), drawing.photo(back=BACK)
    if flip:
        mask, picture = np.ascontiguousarray(mask[:, ::-1]), np.ascontiguousarray(picture[:, ::-1])
    if factor != 1:
        picture = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        mask = cv2.resize(mask.astype(np.float32), picture.shape[1::-1], interpolation=cv2.INTER_LINEAR) > 0.5
    return lower_landmarks(mask) if category == "lower_body" else upper_landmarks(mask, picture)


def extent(drawing: Drawing) -> float:
    """The longer side of the garment in pixels."""
    return float(np.ptp(np.array(drawing.outline), axis=0).max())


# Known corners --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "corners"),
    [
        ("tshirt", ["neck", "shoulder", "underarm", "hem"]),
        ("long_sleeve", ["neck", "shoulder", "underarm", "hem"]),
        ("tank_top", ["neck", "shoulder", "underarm", "hem"]),
        ("dress", ["neck", "shoulder", "underarm", "hem"]),
        ("trousers", ["waist"]),
        ("skirt", ["waist", "hem"]),
    ],
)
@pytest.mark.parametrize("side", ["right", "left"])
def test_corners(name: str, corners: list[str], side: str) -> None:
    drawing, marks = DRAWN[name][0](), read(name)
    away = {c: np.linalg.norm(marks[f"{side}_{c}"] - drawing.corner(f"{side}_{c}")) / extent(drawing) for c in corners}
    assert max(away.values()) < 0.05, away


@pytest.mark.parametrize("name", DRAWN)
def test_names_order_and_sides(name: str) -> None:
    marks = read(name)
    if DRAWN[name][1] == "lower_body":
        assert set(marks.points) >= {f"{side}_{n}" for side in ("left", "right") for n in ("waist", "hem")}
    else:
        assert set(marks.points) == UPPER_POINTS
    for point, where in marks.points.items():
        assert where.shape == (2,) and where.dtype == np.float64
        if point.startswith("left"):  # the wearer's left is on the right of the picture
            assert where[0] > marks[other_side(point)][0]
    for edge in (marks.right_side, marks.left_side):
        assert edge.ndim == 2 and edge.shape[1] == 2 and (np.diff(edge[:, 1]) > 0).all()  # downwards
    assert (marks.left_side[:, 0] > marks.right_side[:, 0]).all()
    assert set(marks.sleeves) == ({"right", "left"} if name in ("tshirt", "long_sleeve", "trousers") else set())


@pytest.mark.parametrize("name", ["tshirt", "long_sleeve"])
@pytest.mark.parametrize("side", ["right", "left"])
def test_cuffs_and_sleeve_length(name: str, side: str) -> None:
    drawing, sleeve = DRAWN[name][0](), read(name).sleeves[side]
    outer, inner = drawing.corner(f"{side}_cuff_outer"), drawing.corner(f"{side}_cuff_inner")
    assert np.linalg.norm(sleeve.outer[-1] - outer) < 0.03 * extent(drawing)
    assert np.linalg.norm(sleeve.inner[-1] - inner) < 0.03 * extent(drawing)
    armhole = (drawing.corner(f"{side}_shoulder") + drawing.corner(f"{side}_underarm")) / 2
    true = np.linalg.norm((outer + inner) / 2 - armhole)
    assert sleeve.length == pytest.approx(true, rel=0.2)
    assert len(sleeve.outer) == len(sleeve.inner)


def test_trouser_legs() -> None:
    drawing, marks = DRAWN["trousers"][0](), read("trousers")
    assert np.linalg.norm(marks["crotch"] - [300, 330]) < 0.015 * extent(drawing)
    for side in ("right", "left"):
        leg = marks.sleeves[side]
        assert np.linalg.norm(leg.outer[-1] - drawing.corner(f"{side}_hem_outer")) < 0.02 * extent(drawing)
        assert np.linalg.norm(leg.inner[-1] - drawing.corner(f"{side}_hem_inner")) < 0.02 * extent(drawing)
        assert np.linalg.norm(leg.inner[0] - [300, 330]) < 0.02 * extent(drawing)
        assert np.array_equal(marks[f"{side}_hem"], leg.outer[-1])
        assert len(leg.polygon) > 100


@pytest.mark.parametrize("name", DRAWN)
def test_mirrored_garment_has_mirrored_landmarks(name: str) -> None:
    marks, flipped = read(name), read(name, flip=True)
    limit = 0.015 * extent(DRAWN[name][0]())

    def back(points: np.ndarray) -> np.ndarray:
        return np.array([599.0, 0.0]) + points * [-1, 1]

    for point, where in marks.points.items():
        assert np.linalg.norm(back(flipped[other_side(point)]) - where) < limit, point
    assert np.linalg.norm(back(flipped.left_side) - marks.right_side, axis=1).max() < limit
    for side, sleeve in marks.sleeves.items():
        other = flipped.sleeves[other_side(side)]
        assert np.linalg.norm(back(other.outer) - sleeve.outer, axis=1).max() < limit
    assert flipped.neckline.shape == marks.neckline.shape
    if len(marks.neckline):
        assert np.linalg.norm(back(flipped.neckline[::-1]) - marks.neckline, axis=1).max() < limit


@pytest.mark.parametrize("name", DRAWN)
def test_landmarks_scale_with_the_picture(name: str) -> None:
    marks, small = read(name), read(name, factor=0.5)
    limit = 0.02 * extent(DRAWN[name][0]())
    assert set(small.points) == set(marks.points)
    for point, where in marks.points.items():
        assert np.linalg.norm(2 * small[point] + 0.5 - where) < limit, point


@pytest.mark.parametrize("name", DRAWN)
def test_landmarks_lie_on_the_outline(name: str) -> None:
    drawing, marks = DRAWN[name][0](), read(name)
    contour = np.array(drawing.outline + drawing.outline[:1])
    corners = [(*p, *q) for p, q in zip(contour[:-1], contour[1:], strict=True)]

    def distance(point: np.ndarray) -> float:
        best = np.inf
        for ax, ay, bx, by in corners:
            axis = np.array([bx - ax, by - ay])
            t = np.clip((point - [ax, ay]) @ axis / max(axis @ axis, 1e-9), 0, 1)
            best = min(best, float(np.linalg.norm(point - [ax, ay] - t * axis)))
        return best

    for point, where in marks.points.items():
        assert distance(where) < 0.012 * extent(drawing), point
    for sleeve in marks.sleeves.values():
        assert max(distance(p) for p in [*sleeve.outer, *sleeve.inner]) < 0.012 * extent(drawing)


def test_a_speck_beside_the_garment_changes_nothing() -> None:
    drawing = DRAWN["tshirt"][0]()
    mask, picture = drawing.mask(), drawing.photo()
    speck = mask.copy()
    speck[20:30, 20:30] = True
    one, two = upper_landmarks(mask, picture), upper_landmarks(speck, picture)
    assert all(np.array_equal(one[name], two[name]) for name in one.points)


def test_any_outline_is_measured_or_refused() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (400, 300, 3), np.uint8)
    seen = 0
    for _ in range(40):
        mask = np.zeros((400, 300), np.uint8)
        for _ in range(rng.integers(1, 5)):
            corners = rng.integers(60, 240, 2) + rng.integers(-90, 90, (rng.integers(3, 8), 2))
            cv2.fillPoly(mask, [corners.astype(np.int32)], 1)
        if mask.sum() < 2000:
            continue
        for read_landmarks in (lower_landmarks, lambda layer: upper_landmarks(layer, picture)):
            try:
                marks = read_landmarks(mask > 0)
            except InputError:  # one sentence is a fine answer to a scarf; a traceback is none
                continue
            seen += 1
            assert all(np.isfinite(where).all() for where in marks.points.values())
    assert seen > 20


# Neckline -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tshirt", "long_sleeve"])
@pytest.mark.parametrize("back", [BACK, (205, 214, 235)], ids=["darker", "lighter"])
def test_neckline_below_the_inside_of_the_back(name: str, back: tuple[int, int, int]) -> None:
    drawing = DRAWN[name][0]()
    marks = upper_landmarks(drawing.mask(), drawing.photo(back=back))
    line = marks.neckline
    assert len(line) > 10
    assert np.allclose(line[0], marks["right_neck"]) and np.allclose(line[-1], marks["left_neck"])
    lowest = max(y for _, y in drawing.inside)
    middle = line[len(line) // 2]
    assert abs(middle[0] - 300) < 0.02 * extent(drawing)
    assert abs(middle[1] - lowest) < 0.04 * extent(drawing)


@pytest.mark.parametrize("name", ["tank_top", "dress"])
def test_a_deep_opening_is_the_outline_itself(name: str) -> None:
    assert read(name).neckline.shape == (0, 2)


def test_turtleneck_has_no_neckline() -> None:
    right = [(180, 650), (185, 275), (135, 355), (75, 310), (170, 180), (262, 150), (266, 70)]
    drawing = Drawing([*right, *mirror(right)], {})
    marks = upper_landmarks(drawing.mask(), drawing.photo())
    assert marks.neckline.shape == (0, 2)


# Crotch ---------------------------------------------------------------------------------------------------


def test_crotch_of_trousers_and_shorts() -> None:
    point = crotch_point(DRAWN["trousers"][0]().mask())
    assert np.linalg.norm(point - [300, 330]) < 8
    right = [(300, 330), (285, 430), (160, 420), (190, 240), (215, 80)]
    shorts = Drawing([*right, *mirror(right[1:])], {})
    assert np.linalg.norm(crotch_point(shorts.mask()) - [300, 330]) < 8


def test_no_crotch() -> None:
    for name in ("skirt", "tank_top", "dress"):
        assert crotch_point(DRAWN[name][0]().mask()) is None
    rounded = Drawing([(130, 600), (220, 150), (380, 150), (470, 600), *arc((470, 600), (130, 600), -50)], {})
    assert crotch_point(rounded.mask()) is None


# Sleeves --------------------------------------------------------------------------------------------------


def test_length_of_a_straight_sleeve() -> None:
    outer = np.stack([np.linspace(0, 30, 6), np.linspace(0, 40, 6)], 1)
    sleeve = Sleeve(outer, outer + [10, 0], np.zeros((0, 2)))
    assert sleeve.length == pytest.approx(50)


def test_resampled_path_has_equal_steps() -> None:
    path = np.array([[0.0, 0], [3, 4], [3, 14], [13, 14]])
    points = silhouette._resample(path, 6)
    assert np.allclose(points, [[0, 0], [3, 4], [3, 9], [3, 14], [8, 14], [13, 14]])
