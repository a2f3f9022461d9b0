from __future__ import annotations

import io
import math
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from vto_utils import plots
from vto_utils.errors import InputError
from vto_utils.labels import palette
from vto_utils.plots import (
    INK,
    MARGIN,
    PAPER,
    LossCurve,
    Snapshots,
    labelled_sheet,
    mark_points,
    parsing_picture,
    show_images,
)
from vto_utils.training import FitConfig, fit_pair

RED = (200, 30, 40)


@pytest.fixture
def shown(monkeypatch):
    """What would appear in the notebook: a list of PNG images, newest last; updates replace in place."""
    pictures: list[Image.Image] = []

    def display(png, handle=None):
        picture = Image.open(io.BytesIO(png)).convert("RGB")
        if handle is None:
            pictures.append(picture)
            return len(pictures) - 1
        pictures[handle] = picture
        return handle

    monkeypatch.setattr(plots, "_display", display)
    return pictures


def contains(image: Image.Image, colour: tuple[int, int, int]) -> bool:
    return bool((np.asarray(image) == colour).all(axis=-1).any())


def test_sheet_size_and_mode():
    sheet = labelled_sheet([Image.new("RGB", (30, 40), RED)] * 5, ["one"] * 5, 2, cell=(256, 192))
    assert sheet.mode == "RGB"
    assert sheet.width == 2 * (192 + MARGIN) + MARGIN
    assert sheet.height > 3 * (256 + MARGIN)


def test_sheet_without_labels_has_exact_size():
    sheet = labelled_sheet([Image.new("RGB", (192, 256), RED)] * 3, [""] * 3, 2, cell=(256, 192))
    assert sheet.size == (2 * 192 + 3 * MARGIN, 2 * 256 + 3 * MARGIN)


@pytest.mark.parametrize(("size", "drawn"), [((200, 100), (96, 48)), ((100, 200), (64, 128)), ((9, 12), (96, 128))])
def test_pictures_keep_their_proportions_and_are_centred(size, drawn):
    sheet = labelled_sheet([Image.new("RGB", size, RED)], [""], 1, cell=(128, 96))
    ys, xs = np.nonzero((np.asarray(sheet) == RED).all(axis=-1))
    assert (xs.max() - xs.min() + 1, ys.max() - ys.min() + 1) == drawn
    assert xs.min() == MARGIN + (96 - drawn[0]) // 2
    assert ys.min() == MARGIN + (128 - drawn[1]) // 2


def test_order_is_row_by_row():
    colours = [(10 * n, 0, 0) for n in range(1, 5)]
    pictures = [Image.new("RGB", (20, 20), colour) for colour in colours]
    sheet = np.asarray(labelled_sheet(pictures, [""] * 4, 2, (20, 20)))
    centres = [(MARGIN + 10 + row * 30, MARGIN + 10 + column * 30) for row in range(2) for column in range(2)]
    assert [tuple(sheet[centre]) for centre in centres] == colours


def test_labels_are_drawn_under_the_picture_and_antialiased():
    picture = Image.new("RGB", (96, 128), RED)
    sheet = np.asarray(labelled_sheet([picture], ["Warped garment"], 1, cell=(128, 96)))
    below = sheet[MARGIN + 128 :]
    greys = np.unique(below.reshape(-1, 3), axis=0)
    assert (greys == INK).all(axis=1).any()
    assert len(greys) > 10  # between ink and paper there are soft edges
    assert not (below == RED).all(axis=-1).any()


def test_title_makes_room():
    picture = Image.new("RGB", (96, 128), RED)
    plain = labelled_sheet([picture], ["a"], 1, cell=(128, 96))
    titled = labelled_sheet([picture], ["a"], 1, cell=(128, 96), title="Stages")
    assert titled.width == plain.width and titled.height > plain.height
    assert contains(titled.crop((0, 0, titled.width, titled.height - plain.height)), INK)


@pytest.mark.parametrize("label", ["word " * 30, "a_file_name_without_any_space_" * 5])
def test_long_labels_stay_inside_their_cell(label):
    pictures = [Image.new("RGB", (96, 128), RED)] * 2
    sheet = np.asarray(labelled_sheet(pictures, [label, ""], 2, cell=(128, 96)))
    other_cell = sheet[:, 2 * MARGIN + 96 :]
    assert not (other_cell == INK).all(axis=-1).any()
    assert (sheet[-MARGIN:] == PAPER).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_mode_of_image(mode):
    sheet = labelled_sheet([Image.new(mode, (20, 30))], ["x"], 1, cell=(60, 40))
    assert sheet.mode == "RGB"


def test_transparent_parts_show_the_paper():
    sheet = labelled_sheet([Image.new("RGBA", (40, 60), (255, 0, 0, 0))], [""], 1, cell=(60, 40))
    assert (np.asarray(sheet) == PAPER).all()


@pytest.mark.parametrize(
    ("images", "labels", "columns", "cell"),
    [(0, 0, 1, (9, 9)), (2, 1, 1, (9, 9)), (1, 1, 0, (9, 9)), (1, 1, 1, (0, 9))],
)
def test_sheet_refuses_what_it_cannot_draw(images, labels, columns, cell):
    with pytest.raises(InputError):
        labelled_sheet([Image.new("RGB", (9, 9))] * images, ["x"] * labels, columns, cell)


def test_sheet_needs_no_matplotlib():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from PIL import Image; from vto_utils.plots import labelled_sheet\n"
        "print(labelled_sheet([Image.new('RGB', (9, 9))], ['x'], 1).size)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_marked_points_stand_where_they_should():
    image = Image.new("RGB", (300, 400), "white")
    marked = np.asarray(mark_points(image, {"left_hem": (60, 350), "far_away": (500, 10), "neck": (299, 0)}))
    assert marked.shape == (400, 300, 3)
    assert tuple(marked[350, 60]) == tuple(marked[1, 298]) == (220, 30, 60)
    assert not (marked[100:250] != 255).any()
    assert np.asarray(image).min() == 255  # the given image is untouched


def test_names_of_close_points_do_not_cover_each_other():
    image = Image.new("RGB", (300, 400), "white")
    together = np.asarray(mark_points(image, {"right_neck": (140, 200), "left_neck": (160, 200)}))
    ink = sum(
        int((np.asarray(mark_points(image, {name: place})) == INK).all(axis=-1).sum())
        for name, place in (("right_neck", (140, 200)), ("left_neck", (160, 200)))
    )
    assert int((together == INK).all(axis=-1).sum()) == ink


def test_parsing_picture_names_the_labels_that_occur():
    parsing = np.zeros((256, 192), np.uint8)
    parsing[:100], parsing[100:200] = 5, 9
    picture = parsing_picture(parsing)
    assert picture.height == 256 and picture.width > 192
    colours = palette()
    np.testing.assert_array_equal(np.asarray(picture)[:, :192], colours[parsing])
    legend = picture.crop((192, 0, *picture.size))
    assert contains(legend, tuple(colours[5])) and contains(legend, tuple(colours[9]))
    assert not contains(legend, tuple(colours[6]))
    assert np.asarray(legend).max(axis=-1).min() < 100  # dark letters on light paper


def test_parsing_picture_fits_all_labels_and_none():
    everything = np.arange(20, dtype=np.uint8).repeat(15)[:, None].repeat(100, 1)
    legend = np.asarray(parsing_picture(everything))[:, 100:]
    assert (legend[-3:] == PAPER).all()
    assert parsing_picture(np.zeros((50, 40), np.uint8)).mode == "RGB"


def test_show_images(shown):
    images = [Image.new("RGB", (30, 40), RED), np.zeros((40, 30), np.uint8), Image.new("P", (30, 40))]
    assert show_images(images, ["photo", "mask", "labels"], columns=2, cell=(200, 150)) is None
    assert len(shown) == 1
    assert contains(shown[0], RED)
    assert shown[0].width == 300 and shown[0].height >= 400


def test_show_images_takes_titles_as_keys(shown):
    images = {"photo": Image.new("RGB", (30, 40), RED), "mask": np.zeros((40, 30), np.uint8)}
    show_images(images, cell=(200, 150))
    show_images(list(images.values()), list(images), cell=(200, 150))
    assert len(shown) == 2 and shown[0].tobytes() == shown[1].tobytes()


def test_show_images_refuses(shown):
    with pytest.raises(InputError):
        show_images([])
    with pytest.raises(InputError):
        show_images([Image.new("RGB", (9, 9))], ["a", "b"])
    assert shown == []


def test_mask_is_not_stretched_to_full_contrast(shown):
    show_images([np.full((40, 30), 100, np.uint8)], cell=(200, 150))
    assert contains(shown[0], (100, 100, 100))


def test_loss_curve_redraws_at_its_own_pace(shown):
    now = [0.0]
    drawings = []
    curve = LossCurve(every=2.0, clock=lambda: now[0])
    with curve:
        for step in range(100):  # 10 s of training
            curve.add(step, {"loss": 1 / (step + 1)})
            drawings.append(shown[-1].tobytes())
            now[0] += 0.1
        between = shown[-1].tobytes()
    assert len(shown) == 1  # one picture, updated in place
    assert 4 <= len(set(drawings)) <= 6
    assert shown[-1].tobytes() != between  # finished: the last steps are there too
    assert curve.history["loss"][-1] == (99, 0.01)


def test_loss_curve_takes_a_number_or_several_losses(shown):
    curve = LossCurve(every=0, log=True)
    curve.add(0, 0.5)
    curve.add(1, {"loss": 0.25, "l1": 0.125})
    curve.finish()
    assert curve.history == {"loss": [(0, 0.5), (1, 0.25)], "l1": [(1, 0.125)]}
    assert curve.picture().size == (640, 320)


def test_loss_curve_says_that_a_loss_is_not_finite(shown):
    curve = LossCurve()
    for step, value in enumerate([1.0, math.nan, math.inf]):
        curve.add(step, value)
    assert "not a finite number at step 1" in curve._figure().axes[0].get_title()


def test_callbacks_of_a_real_fit(shown):
    config = FitConfig(steps=2, size=(64, 48))
    person, cloth = Image.new("RGB", (48, 64), "white"), Image.new("RGB", (48, 64), RED)
    snapshots = Snapshots(2)
    with LossCurve() as curve:
        result = fit_pair(person, cloth, config, [curve, snapshots])
    assert curve.history["loss"] == list(enumerate(result.losses, 1))
    assert list(snapshots.pictures) == ["step 1", "step 2"]
    assert all(picture.size == (48, 64) for picture in snapshots.pictures.values())


@pytest.mark.parametrize(
    ("count", "steps", "kept"),
    [(1, 5, [5]), (2, 5, [1, 5]), (4, 2, [1, 2]), (3, 101, [1, 51, 101]), (3, 1, [1])],
)
def test_snapshots_are_spread_evenly(count, steps, kept):
    snapshots = Snapshots(count)
    for step in range(1, steps + 1):
        snapshots(SimpleNamespace(step=step, steps=steps, output=torch.zeros(1, 3, 4, 3)))
    assert list(snapshots.pictures) == [f"step {step}" for step in kept]


def test_snapshots_show_the_unit_range_in_full():
    snapshots = Snapshots(1)
    output = torch.tensor([0.0, 0.5, 1.0, 2.0])[None, None, None].expand(1, 3, 1, 4)
    snapshots(SimpleNamespace(step=1, steps=1, output=output))
    assert [pixel[0] for pixel in np.asarray(snapshots.pictures["step 1"])[0]] == [0, 128, 255, 255]
    with pytest.raises(InputError):
        Snapshots(0)


def test_loss_curve_without_any_step_draws_nothing(shown):
    with LossCurve():
        pass
    assert shown == []


def test_no_figure_is_left_open(shown):
    import matplotlib.pyplot as plt

    with LossCurve(every=0) as curve:
        for step in range(5):
            curve.add(step, 1.0)
    show_images([Image.new("RGB", (9, 9))])
    assert plt.get_fignums() == []


def test_nothing_is_printed_outside_a_notebook(capsys):
    with LossCurve(every=0) as curve:
        curve.add(0, 1.0)
    show_images([Image.new("RGB", (9, 9))])
    assert capsys.readouterr().out == ""
