from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn_labels import body as drawn_body
from PIL import Image

from vto_utils import agnostic, fitting
from vto_utils.checkpoints import save_checkpoint
from vto_utils.errors import InputError
from vto_utils.fitting import Fitter, Placement, Window, drape
from vto_utils.garment import Garment
from vto_utils.networks import GMM, LAYOUT, GMMConfig, SynthesizerConfig, TryOnSynthesizer
from vto_utils.pose import Pose
from vto_utils.silhouette import Landmarks

SMALL = (64, 48)


def shown(mask_box: tuple[int, int, int, int], size: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(size, bool)
    top, bottom, left, right = mask_box
    mask[top:bottom, left:right] = True
    return mask


def identity(size: tuple[int, int] = SMALL) -> np.ndarray:
    """(h, w, 2) flow that leaves everything where it is."""
    ys, xs = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    return np.stack([(2 * xs + 1) / size[1] - 1, (2 * ys + 1) / size[0] - 1], -1)


def placement(photo: tuple[int, int], window: Window, flow: np.ndarray | None = None) -> Placement:
    layout = np.zeros((*SMALL, len(LAYOUT)), np.float32)
    layout[..., 0] = 1
    render, shading = np.zeros((*SMALL, 3), np.float32), np.ones(SMALL, np.float32)
    return Placement(photo, window, identity() if flow is None else flow, layout, render, shading)


def garment(size: tuple[int, int], seed: int = 0) -> Garment:
    """Smooth colours, and a mask that leaves a border."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (8, 6, 3), dtype=np.uint8))
    texture = np.asarray(small.resize(size[::-1], Image.Resampling.BICUBIC))
    mask = np.zeros(size, np.uint8)
    mask[size[0] // 8 : -size[0] // 8, size[1] // 8 : -size[1] // 8] = 255
    picture = np.where(mask[..., None] > 0, texture, 255).astype(np.uint8)
    marks = Landmarks({}, np.zeros((0, 2)), np.zeros((0, 2)))
    return Garment(Image.fromarray(picture), texture, mask, "upper_body", "upper_body", marks)


# The window ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "box, size",
    [
        ((20, 380, 100, 200), (400, 300)),  # full length
        ((40, 400, 20, 290), (400, 300)),  # cut off below
        ((100, 160, 100, 140), (400, 300)),  # small
        ((50, 380, 300, 420), (400, 900)),  # wide photo
        ((10, 780, 20, 180), (800, 200)),  # narrow photo
    ],
)
def test_window_holds_the_person_and_keeps_the_shape(box, size):
    window = Window.around(shown(box, size))
    top, bottom, left, right = box
    assert window.left <= left and right <= window.left + window.width
    assert window.top <= top and bottom <= window.top + window.height
    assert window.width / window.height == pytest.approx(0.75, abs=0.02)


def test_window_stays_within_a_photo_that_is_large_enough():
    window = Window.around(shown((100, 400, 200, 290), (400, 300)))
    assert window.left >= 0 and window.left + window.width <= 300
    assert window.top >= 0 and window.top + window.height <= 400


def test_window_of_nobody_is_the_photo():
    window = Window.around(np.zeros((400, 300), bool))
    assert (window.left, window.top, window.width, window.height) == (0, 0, 300, 400)


def test_points_and_pictures_agree():
    """A dot of the photo lies at its key point in the window."""
    for window in (Window(37, 52, 150, 200), Window(-30, -20, 300, 400)):
        photo = np.zeros((400, 300), np.uint8)
        photo[150:154, 100:104] = 255
        point = np.array([[102.0, 152.0, 1.0]])
        cut = window.cut(photo, (200, 150)).astype(float)
        ys, xs = np.mgrid[0:200, 0:150] + 0.5
        centre = (xs * cut).sum() / cut.sum(), (ys * cut).sum() / cut.sum()
        np.testing.assert_allclose(window.points(point, (200, 150))[0, :2], centre, atol=0.3)


def test_beyond_the_photo_there_is_what_was_asked_for():
    cut = Window(-10, -20, 30, 40).cut(np.full((100, 100, 3), 9, np.uint8), (40, 30), outside=127)
    assert (cut[:20] == 127).all() and (cut[:, :10] == 127).all() and (cut[20:, 10:] == 9).all()
    labels = Window(0, 0, 30, 40).cut(np.array([[3, 14]] * 40, np.uint8).repeat(15, 1), (13, 7), labels=True)
    assert set(np.unique(labels)) == {3, 14}  # no id in between


# The placement ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(128, 96), (32, 24), (100, 60)])
def test_maps_come_back_to_their_places(size):
    """A ramp over the window is a ramp over the photo."""
    photo, window = (200, 150), Window(15, 20, 120, 160)
    ramp = identity()  # of the window, -1 to 1
    found = placement(photo, window).at(ramp, size)
    ys, xs = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32) + 0.5
    x, y = xs * photo[1] / size[1], ys * photo[0] / size[0]
    inside = (x > 20) & (x < 130) & (y > 28) & (y < 172)
    truth = np.stack([(x - 15) / 120 * 2 - 1, (y - 20) / 160 * 2 - 1], -1)
    np.testing.assert_allclose(found[inside], truth[inside], atol=2e-3)


def test_a_flow_is_enlarged_to_the_last_pixel():
    photo, window = (200, 150), Window(15, 20, 120, 160)
    shift = np.float32([0.3, -0.2])
    found = placement(photo, window, identity() + shift).places(photo)
    ys, xs = np.mgrid[0:200, 0:150] + 0.5
    truth = np.stack([(xs - 15) / 120 * 2 - 1, (ys - 20) / 160 * 2 - 1], -1) + shift
    np.testing.assert_allclose(found, truth, atol=1e-3)  # beyond the window too


@pytest.mark.parametrize("scale", [1, 3])
def test_an_identical_flow_lays_the_garment_as_it_is(scale):
    """Of another size than the window as well: large ones are shrunk without moving."""
    worn = garment((160 * scale, 120 * scale))
    colours, alpha = drape(placement((200, 150), Window(15, 20, 120, 160)), worn, (200, 150))
    expected = np.asarray(Image.fromarray(worn.texture).resize((120, 160), Image.Resampling.BOX), float)
    mask = np.asarray(Image.fromarray(worn.mask).resize((120, 160), Image.Resampling.BOX), float) / 255
    inner = np.s_[4:-4, 4:-4]
    assert np.abs(colours[20:180, 15:135][inner] - expected[inner]).mean() < 1.5
    assert np.abs(alpha[20:180, 15:135][inner] - mask[inner]).mean() < 0.01
    assert alpha[:20].max() == 0 and alpha[:, :15].max() == 0  # no garment where its picture ends


def test_a_known_shift_moves_the_garment():
    photo, worn = SMALL, garment(SMALL)
    moved = identity() + np.float32([2 * 6 / SMALL[1], 0])  # six pixels to the left
    still, there = (drape(placement(photo, Window(0, 0, 48, 64), f), worn, photo)[1] for f in (identity(), moved))
    np.testing.assert_allclose(there[:, :-6], still[:, 6:], atol=1e-3)


# The networks ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    small = dict(widths=(8, 16, 16, 16), depths=(0, 0, 0, 0), features=16, trunk=0, radii=(1, 1, 1))
    gmm = GMM(replace(GMMConfig.product(), **small))
    tom = TryOnSynthesizer(SynthesizerConfig(1, len(LAYOUT), 18, widths=(8, 16, 16), depths=(0, 0, 0), darkest=-1))
    return save_checkpoint(tmp_path_factory.mktemp("weights"), gmm, tom)


def upright(factor: int) -> tuple[np.ndarray, Pose]:
    """Labels of a drawn person and a pose that suits them."""
    ids = drawn_body().repeat(factor, 0).repeat(factor, 1)
    points = [(48, 17), (48, 30), (36, 32), (30, 50), (30, 66), (60, 32), (66, 50), (66, 66), (41, 66), (41, 98)]
    points += [(41, 116), (55, 66), (55, 98), (55, 116), (46, 15), (50, 15), (42, 17), (54, 17)]
    return ids, Pose(np.float32([(x * factor, y * factor, 1) for x, y in points]))


def test_fresh_networks_lay_the_garment_where_the_person_may_be_painted(weights):
    ids, pose = upright(4)
    photo = np.full((*ids.shape, 3), 90, np.uint8)
    fitter = Fitter(weights, "cpu")
    found = fitter.fit(photo, ids, pose, garment((400, 300)))
    height, width = fitting.SIZE
    assert found.photo == ids.shape and found.flow.shape == (height, width, 2)
    assert found.layout.shape == (height, width, len(LAYOUT)) and found.render.shape == (height, width, 3)
    window = Window.around(ids > 0)
    hidden = agnostic.agnostic_mask(
        window.cut(ids, fitting.SIZE, labels=True), Pose(window.points(pose.keypoints, fitting.SIZE)), "upper_body"
    )
    ys, xs = np.nonzero(hidden)
    for axis, start, end, length in ((0, xs.min(), xs.max() + 1, width), (1, ys.min(), ys.max() + 1, height)):
        middle = found.flow[height // 2, :, 0] if axis == 0 else found.flow[:, width // 2, 1]
        steps = np.diff(middle)
        assert steps.min() > 0 and np.ptp(steps) < 1e-4  # enlarged evenly
        if axis == 0:  # the garment lies in the middle of its picture
            assert np.interp((start + end) / 2, np.arange(length) + 0.5, middle) == pytest.approx(0, abs=0.02)
    np.testing.assert_allclose(found.layout, 1 / len(LAYOUT), atol=1e-5)
    np.testing.assert_allclose(found.shading, 1, atol=1e-5)
    assert found.render.min() >= 0 and found.render.max() <= 255


def test_small_and_large_photos_are_fitted_alike(weights):
    fitter = Fitter(weights, "cpu")
    with torch.no_grad():  # fresh networks answer the same to everything
        for parameter in [*fitter.gmm.parameters(), *fitter.tom.parameters()]:
            if not parameter.any():
                torch.nn.init.normal_(parameter, std=0.02)
    cloth, found = garment((400, 300)), []
    for factor in (2, 4):
        ids, pose = upright(factor)
        found.append(fitter.fit(np.full((*ids.shape, 3), 90, np.uint8), ids, pose, cloth))
    assert np.abs(found[0].flow - identity(fitting.SIZE)).max() > 1e-3
    assert np.abs(found[0].flow - found[1].flow).mean() < 0.01
    assert np.abs(found[0].layout - found[1].layout).mean() < 0.01


def test_networks_of_plain_photos_are_refused(tmp_path):
    folder = save_checkpoint(tmp_path, GMM(), TryOnSynthesizer())
    with pytest.raises(InputError, match="built for pairs of photos"):
        Fitter(folder, "cpu")


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(InputError, match="nothing-here"):
        Fitter(tmp_path / "nothing-here", "cpu")
