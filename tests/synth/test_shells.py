import numpy as np
import pytest
import scipy.sparse as sp
from scipy.spatial import cKDTree

from vto_utils.synth import mesh, raster
from vto_utils.synth.body import Shape, load_body
from vto_utils.synth.shells import (
    CANONICAL,
    OFFSET,
    ROWS,
    arm_attributes,
    load_pattern,
    load_suit,
    tube,
    tube_weights,
)

THIN = Shape(gender=0.0, weight=0.0, muscle=0.3)
HEAVY = Shape(gender=1.0, weight=1.0, muscle=0.4)
TALL = Shape(gender=0.0, height=1.0)
SHELLS = ("robe", "trousers")


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def suit():
    return load_suit()


def panels(pattern):
    return pattern.faces[: pattern.front], pattern.faces[pattern.front :]


def every_level(pattern):
    return [(level, number) for level in range(len(pattern.loose)) for number in range(len(pattern.angles))]


def signed_areas(flat, faces):
    one, two = flat[faces[:, 1]] - flat[faces[:, 0]], flat[faces[:, 2]] - flat[faces[:, 0]]
    return (one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]) / 2


def levelled(pattern, loose, angle):
    return pattern.lay(np.full(len(pattern.points), loose, np.float32), (angle, angle))


@pytest.mark.parametrize("shape", [CANONICAL, THIN, HEAVY])
def test_cloth_keeps_its_distance_to_the_skin(body, suit, shape):
    base = suit.base(body.vertices(shape))
    normals = mesh.vertex_normals(base, suit.faces)
    nodes = body.nodes(shape)
    crotch = nodes[body.count + body.bone["upperleg01.L"], 1] - 0.4
    apart = (np.abs(base[:, 0]) > 0.5) | (base[:, 1] > crotch)  # elsewhere the legs leave no room
    middle = []
    for loose in (0.0, 0.1, 0.3):
        cloth = suit.inflate(base, loose)
        assert cloth.dtype == np.float32 and cloth.shape == base.shape
        gap = ((cloth - base) * normals).sum(1)
        assert gap[apart].min() > OFFSET - 1e-3
        assert gap.max() < OFFSET + loose + 0.25  # hollows are bridged, no more
        middle.append(np.median(gap))
    np.testing.assert_allclose(middle, [OFFSET, OFFSET + 0.1, OFFSET + 0.3], atol=0.08)
    wider = suit.inflate(base, 0.0, offset=0.2)
    assert ((wider - base) * normals).sum(1)[apart].min() > 0.2 - 1e-3


@pytest.mark.parametrize("shape", [THIN, HEAVY])
def test_trouser_legs_do_not_run_into_each_other(body, suit, shape):
    base = suit.base(body.vertices(shape))
    wide = suit.inflate(base, 0.7)
    legs = base[:, 1] < -1.5
    for sign in (1, -1):
        mine = legs & (base[:, 0] * sign > 0.1)
        assert mine.sum() > 1000
        assert (wide[mine, 0] * sign).min() > -1e-6


def test_looseness_may_differ_from_place_to_place(body, suit):
    base = suit.base(body.vertices(CANONICAL))
    upper = np.where(base[:, 1] > 2, 0.4, 0.0).astype(np.float32)
    cloth = suit.inflate(base, upper)
    far = base[:, 1] < 0.5
    np.testing.assert_allclose(cloth[far], suit.inflate(base, 0.0)[far], atol=1e-5)
    high = (base[:, 1] > 3) & (base[:, 1] < 4)
    apart = np.linalg.norm(cloth - base, axis=1)[high]
    assert np.median(apart) > 0.3


def test_arms_are_measured_from_the_shoulder_to_the_wrist(body, suit):
    nodes = body.nodes(CANONICAL)
    base = suit.base(body.vertices(CANONICAL))
    shoulder, elbow, wrist = (nodes[body.count + body.bone[f"{n}.L"]] for n in ("upperarm01", "lowerarm01", "wrist"))
    points = np.concatenate([base, np.stack([shoulder, elbow, wrist, shoulder, elbow, wrist])])
    points[-3:] *= [-1, 1, 1]
    padded = type("Padded", (), {"weights": np.concatenate([suit.weights, suit.weights[:6]])})
    along, share = arm_attributes(body, nodes, padded, points)
    upper = np.linalg.norm(elbow - shoulder) / (np.linalg.norm(elbow - shoulder) + np.linalg.norm(wrist - elbow))
    np.testing.assert_allclose(along[-6:], [0, upper, 1] * 2, atol=1e-5)
    assert share.min() >= 0 and share.max() < 1.001
    reach = np.abs(base[:, 0])
    assert share[: len(base)][reach > 3].min() > 0.95 and share[: len(base)][reach < 0.8].max() < 0.25


@pytest.mark.parametrize("name", SHELLS)
def test_the_arrays_of_a_shell_fit_together(body, suit, name):
    pattern = load_pattern(name)
    count = len(pattern.points)
    assert load_pattern(name) is pattern
    assert 0 < pattern.front < len(pattern.faces)
    np.testing.assert_array_equal(np.unique(pattern.faces), np.arange(count))
    assert pattern.panels.shape == (len(pattern.loose), len(pattern.angles), count, 2)
    assert np.isfinite(pattern.panels).all()
    np.testing.assert_allclose(pattern.weights.sum(1), 1, atol=1e-4)
    assert pattern.weight_bones.max() < len(body.bones)
    assert pattern.arm.min() >= 0 and pattern.arm.max() < 1.001
    assert list(pattern.loose) == sorted(pattern.loose) and list(pattern.angles) == sorted(pattern.angles)
    rows = np.asarray(pattern.from_suit.sum(1)).ravel()
    if pattern.from_tube is not None:
        rows = rows + np.asarray(pattern.from_tube.sum(1)).ravel()
        np.testing.assert_allclose(np.asarray(pattern.ring.sum(1)).ravel(), 1, atol=1e-3)
    np.testing.assert_allclose(rows, 1, atol=1e-3)  # every vertex is a mean of others
    # it stands where the suit, loosely inflated, has it
    own = np.asarray(abs(pattern.from_suit).sum(1)).ravel() > 0.999
    cloth = suit.inflate(suit.base(body.vertices(CANONICAL)), pattern.loose[1])
    np.testing.assert_allclose((pattern.from_suit @ cloth)[own], pattern.points[own], atol=2e-3)


@pytest.mark.parametrize("name", SHELLS)
def test_each_panel_is_one_piece_and_they_meet_in_seams(name):
    pattern = load_pattern(name)
    front, back = panels(pattern)
    for faces in (front, back):
        assert len(mesh.largest_piece(len(pattern.points), faces)) == len(faces)
    seams = np.intersect1d(front, back)
    assert len(seams) > 100
    for faces in (front, back):
        assert np.isin(seams, mesh.border(faces)).all()
    # front and back really are: seen from there
    normals = mesh.vertex_normals(pattern.points, pattern.faces)
    inner = [np.setdiff1d(faces, seams) for faces in (front, back)]
    assert (normals[inner[0], 2] > -0.2).mean() > 0.97 and (normals[inner[1], 2] < 0.2).mean() > 0.97


@pytest.mark.parametrize("name", SHELLS)
def test_both_panels_have_the_same_outline_at_every_angle_and_looseness(name):
    """A flat shows the back only through the neck: seams lie on each other, and neither panel sticks out."""
    pattern = load_pattern(name)
    seen = pattern.points[:, 1] < 4.3  # below the neckline
    for level, number in every_level(pattern):
        flat = pattern.panels[level, number]
        low, high = flat.min(0), flat.max(0)
        screen = np.concatenate([(flat - low) / (high - low).max() * 150 + 2, np.ones((len(flat), 1))], 1)
        shown = []
        for faces in panels(pattern):
            buffer = raster.Buffer.empty(154, 154)
            raster.fill(buffer, screen, np.ascontiguousarray(faces[seen[faces].all(1)]))
            shown.append(buffer.triangle >= 0)
        both, either = (shown[0] & shown[1]).sum(), (shown[0] | shown[1]).sum()
        assert both > 1500
        assert both / either > 0.95, (level, number)


@pytest.mark.parametrize("name", SHELLS)
def test_panels_are_laid_flat_with_little_stretching(body, suit, name):
    pattern = load_pattern(name)
    base = suit.base(body.vertices(CANONICAL))
    own = np.asarray(abs(pattern.from_suit).sum(1)).ravel() > 0.999  # without the tube
    pairs = pattern.edges[own[pattern.edges].all(1)]
    front, back = panels(pattern)
    for level, number in every_level(pattern):
        flat = pattern.panels[level, number]
        if name == "robe" or level == 0:  # trousers are all laid as the tight ones are
            cloth = pattern.from_suit @ suit.inflate(base, pattern.loose[level])
            before = np.linalg.norm(cloth[pairs[:, 0]] - cloth[pairs[:, 1]], axis=1)
            ratio = np.linalg.norm(flat[pairs[:, 0]] - flat[pairs[:, 1]], axis=1) / before
            assert abs(np.median(ratio) - 1) < 0.025, (level, number)
            assert np.percentile(np.abs(ratio - 1), 75) < 0.15, (level, number)
        for faces in (front, back):  # hardly a triangle is turned over
            areas = signed_areas(flat, faces)
            areas = areas * np.sign(areas.sum())
            assert -areas[areas < 0].sum() < 0.003 * areas.sum(), (level, number)


@pytest.mark.parametrize("name", SHELLS)
def test_left_and_right_are_mirror_images(name):
    pattern = load_pattern(name)
    distance, partner = cKDTree(pattern.points).query(pattern.points * [-1, 1, 1])
    paired = distance < 0.01
    assert paired.mean() > 0.75
    for level, number in every_level(pattern):
        flat = pattern.panels[level, number].astype(np.float64)
        mirrored = flat[partner] * [-1, 1]
        apart = np.linalg.norm(flat - mirrored, axis=1)[paired]
        assert np.median(apart) < 0.04 and np.percentile(apart, 99) < 0.15, (level, number)
        one, two = flat[paired] - flat[paired].mean(0), mirrored[paired] - mirrored[paired].mean(0)
        turned = np.arctan2((one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]).sum(), (one * two).sum()) / 2
        assert abs(np.rad2deg(turned)) < 0.15, (level, number)


def test_sleeves_hang_lower_the_more_they_are_turned():
    pattern = load_pattern("robe")
    cuff = (pattern.along > 0.9) & (pattern.arm > 0.9)
    height, reach = [], []
    for angle in (-40, -20, 0, 18, 36):
        flat = levelled(pattern, 0.3, angle)
        height.append(flat[cuff, 1].mean())
        reach.append(np.abs(flat[cuff, 0]).mean())
    assert (np.diff(height) < -0.5).all()
    assert reach[-1] < reach[2]  # hanging is nearer to the body than 45 degrees out
    trunk = (pattern.arm < 0.01) & (np.abs(pattern.points[:, 0]) < 0.8)
    moved = np.linalg.norm(levelled(pattern, 0.3, 36) - levelled(pattern, 0.3, 0), axis=1)
    assert moved[trunk].max() < 0.1 < 2 < moved[cuff].min()


def test_legs_open_with_the_angle():
    pattern = load_pattern("trousers")
    inner = (pattern.points[:, 1] < -6) & (pattern.points[:, 0] > 0)
    gap = [levelled(pattern, 0.1, angle)[inner, 0].min() for angle in (-5, 0, 4)]
    assert gap[0] < gap[1] - 0.1 < gap[2] - 0.2
    assert gap[0] > -0.3  # together, not one over the other


@pytest.mark.parametrize("name", SHELLS)
def test_laying_is_continuous_and_exact_at_its_stations(name):
    pattern = load_pattern(name)
    for level, loose in enumerate(pattern.loose):
        for number, angle in enumerate(pattern.angles):
            np.testing.assert_allclose(levelled(pattern, loose, angle), pattern.panels[level, number], atol=1e-5)
    low, high = pattern.angles[0], pattern.angles[-1]
    np.testing.assert_array_equal(levelled(pattern, 0.3, high + 50), levelled(pattern, 0.3, high))
    np.testing.assert_array_equal(levelled(pattern, 0.0, low - 50), levelled(pattern, pattern.loose[0], low))
    last = levelled(pattern, 0.3, low)
    for angle in np.arange(low, high, 1.5)[1:]:  # a degree moves a cuff, 6 dm away, by 0.1 dm
        now = levelled(pattern, 0.3, angle)
        assert 0 < np.abs(now - last).max() < 0.35
        last = now
    last = levelled(pattern, 0.0, high)
    for loose in np.arange(0.05, 0.9, 0.05):
        now = levelled(pattern, loose, high)
        assert np.abs(now - last).max() < 0.2
        last = now


@pytest.mark.parametrize("name", SHELLS)
def test_each_side_is_laid_on_its_own(name):
    pattern = load_pattern(name)
    loose = np.full(len(pattern.points), 0.2, np.float32)
    low, high = pattern.angles[0], pattern.angles[-1]
    right, left = pattern.points[:, 0] < 0, pattern.points[:, 0] >= 0
    mixed = pattern.lay(loose, (low, high))
    np.testing.assert_array_equal(mixed[right], pattern.lay(loose, (low, low))[right])
    np.testing.assert_array_equal(mixed[left], pattern.lay(loose, (high, high))[left])
    # looseness too, vertex by vertex
    some = np.where(np.arange(len(loose)) % 2, 0.7, 0.04).astype(np.float32)
    np.testing.assert_allclose(pattern.lay(some, (0, 0))[1::2], levelled(pattern, 0.7, 0)[1::2], atol=1e-6)
    # no tear down the middle
    pairs = pattern.edges
    across = pairs[right[pairs[:, 0]] != right[pairs[:, 1]]]
    near = np.abs(pattern.points[across, 1]).max(1) < 3
    straight = pattern.lay(loose, (0, 0))
    before = np.linalg.norm(straight[across[:, 0]] - straight[across[:, 1]], axis=1)
    after = np.linalg.norm(mixed[across[:, 0]] - mixed[across[:, 1]], axis=1)
    assert np.abs(after - before)[near].max() < 0.3


def test_what_a_shells_vertex_says_its_neighbours_on_the_suit_hear():
    pattern, suit = load_pattern("robe"), load_suit()
    on_suit = pattern.to_suit(pattern.points[:, 1])
    height = suit.base(load_body().vertices(CANONICAL))[:, 1]
    above = height > 0.5
    assert np.abs(on_suit - height)[above].max() < 0.6 and np.median(np.abs(on_suit - height)[above]) < 0.15
    smooth = pattern.smooth
    assert sp.issparse(smooth) and smooth.dtype == np.float32
    np.testing.assert_allclose(smooth @ np.ones(len(pattern.points), np.float32), 1, atol=1e-5)


class Legs:
    """What a tube is lofted round."""

    def __init__(self, shape):
        body, suit, pattern = load_body(), load_suit(), load_pattern("robe")
        nodes = body.nodes(shape)
        base = suit.base(nodes[: body.count])
        self.hip = float(nodes[body.count + body.bone["upperleg01.L"], 1])
        self.ankle = float(nodes[body.count + body.bone["foot.L"], 1])
        self.points = base[base[:, 1] < self.hip + 0.5]
        self.rim = pattern.ring @ suit.inflate(base, 0.05)

    def rows(self, loose=0.0, flare=0.0, taper=0.0):
        return tube(self.rim, self.points, self.ankle, loose, flare, taper)

    def margin(self, rows):
        """(N,) how far inside the tube the points of the legs are, dm, on rays from its middle line."""
        centre = self.rim[:, [0, 2]].mean(0)
        heights = rows[:, :, 1].mean(1)
        inner = self.points[(self.points[:, 1] < self.rim[:, 1].min() - 0.05) & (self.points[:, 1] > heights[-1] + 0.1)]
        turn = np.arctan2(rows[0, :, 0] - centre[0], rows[0, :, 2] - centre[1])
        order = np.argsort(turn)
        radius = np.hypot(rows[:, :, 0] - centre[0], rows[:, :, 2] - centre[1])[:, order]
        flat = inner[:, [0, 2]] - centre
        own = np.arctan2(flat[:, 0], flat[:, 1])
        there = np.stack([np.interp(own, turn[order], row, period=2 * np.pi) for row in radius], 1)
        place = np.interp(-inner[:, 1], -heights, np.arange(ROWS))
        low = np.minimum(place.astype(int), ROWS - 2)
        share, index = place - low, np.arange(len(inner))
        return there[index, low] * (1 - share) + there[index, low + 1] * share - np.hypot(*flat.T)


@pytest.fixture(scope="module")
def legs():
    return {name: Legs(shape) for name, shape in (("thin", THIN), ("heavy", HEAVY), ("tall", TALL))}


@pytest.mark.parametrize("who", ["thin", "heavy", "tall"])
def test_the_tube_begins_at_its_rim_and_falls_to_the_ankles(legs, who):
    rows = legs[who].rows()
    assert rows.shape == (ROWS, len(legs[who].rim), 3) and rows.dtype == np.float32
    np.testing.assert_array_equal(rows[0], legs[who].rim)
    assert (np.diff(rows[:, :, 1], axis=0) < 0).all()
    np.testing.assert_allclose(rows[-1, :, 1], legs[who].ankle + 0.35, atol=1e-3)


@pytest.mark.parametrize("who", ["thin", "heavy", "tall"])
def test_the_tube_clears_the_legs(legs, who):
    straight = legs[who].margin(legs[who].rows())
    assert len(straight) > 500
    assert straight.min() > 0
    assert legs[who].margin(legs[who].rows(taper=0.2)).min() > -0.03
    assert np.median(legs[who].margin(legs[who].rows(loose=0.3)) - straight) > 0.1


def test_flare_widens_and_taper_narrows(legs):
    def breadth(**options):
        rows = legs["thin"].rows(**options)
        return np.linalg.norm(rows[:, :, [0, 2]] - rows[0, :, [0, 2]].mean(1), axis=2).mean(1)

    narrow, straight, wide, wider = breadth(taper=0.2), breadth(), breadth(flare=0.1), breadth(flare=0.3)
    below = slice(ROWS // 4, None)
    assert (narrow[below] <= straight[below]).all() and narrow.mean() < straight.mean() - 0.05
    assert (straight[below] < wide[below]).all() and (wide[below] < wider[below]).all()
    depth = legs["thin"].rim[:, 1].mean() - legs["thin"].ankle - 0.35
    assert (wide - straight)[-1] == pytest.approx(0.1 * depth, rel=0.3)


def test_the_tube_hangs_on_the_hips_and_follows_both_thighs(body):
    points = np.float32([[0.0, 0.1, 1], [1.5, -5, 0], [-1.5, -5, 0], [0, -5, 1.5]])
    rim = np.zeros((4, len(body.bones)), np.float32)
    rim[:, body.bone["spine05"]] = 1
    weights = tube_weights(body, points, rim, 0.0)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)
    left, right, root = (body.bone[name] for name in ("upperleg01.L", "upperleg01.R", "root"))
    assert weights[0, body.bone["spine05"]] > 0.99
    assert weights[1, left] > 0.8 and weights[1, right] < 0.05
    assert weights[1, left] == pytest.approx(weights[2, right], abs=1e-5)
    assert weights[3, left] == pytest.approx(weights[3, right], abs=1e-5)
    assert weights[3, root] == pytest.approx(0.1, abs=0.01)
