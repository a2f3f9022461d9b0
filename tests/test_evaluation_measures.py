"""Figures of single samples against known answers."""

from __future__ import annotations

import pytest
import torch
import training_items as drawn
from torch.nn.functional import one_hot

from vto_utils.evaluation.measures import FIGURES, Answer, Meter
from vto_utils.evaluation.variants import Learned
from vto_utils.networks import LAYOUT, GMMOutput, TryOnOutput, sample_garment
from vto_utils.networks.inputs import garment_input, layout_target, repaintable
from vto_utils.training.validation import installed_ssim

PIXELS = (19.2**2 + 25.6**2) ** 0.5  # 0.2 of a 256x192 picture in x and in y


class TrueGMM:
    """Finds the truth; its spline is wrong by 0.2."""

    def __init__(self, batch: dict) -> None:
        self.batch = batch

    def warp(self, person: torch.Tensor, garment: torch.Tensor) -> GMMOutput:
        batch = self.batch
        where = repaintable(batch["agnostic_mask"], batch["parse"], batch["category"])
        layout = layout_target(batch["target_parse"], batch["category"], where)
        logits = 60.0 * one_hot(layout, len(LAYOUT)).movedim(-1, 1)
        flow = batch["flow"] + 5 * (1 - batch["flow_valid"])  # elsewhere nothing is read
        warped = sample_garment(garment_input(batch["cloth"], batch["cloth_mask"]), flow)
        return GMMOutput(flow, flow + 0.2, warped, logits, torch.zeros(1, 25, 2), (flow,) * 4, (flow,) * 4)


class TrueTom:
    """Paints the truth."""

    def __init__(self, batch: dict) -> None:
        self.batch = batch

    def synthesize(self, person, warped, mask, layout, pose) -> TryOnOutput:
        return TryOnOutput(self.batch["target"], self.batch["target"], mask, torch.ones_like(mask))


@pytest.fixture
def meter() -> Meter:
    return Meter(installed_ssim(), None)


def batch_of(seed: int = 0) -> dict:
    """One sample whose photos of before and after are the same where nothing is repainted."""
    batch = drawn.batch(1, seed)
    where = repaintable(batch["agnostic_mask"], batch["parse"], batch["category"]) > 0
    batch["person"] = batch["person"].where(where, batch["target"])
    return batch


def unchanged(batch: dict, **changes) -> Answer:
    answer = Answer(batch["person"], torch.zeros_like(batch["agnostic_mask"]), None, 0.5)
    return answer._replace(**changes)


@pytest.mark.parametrize("seed", [0, 3])
def test_perfect_networks_have_perfect_figures(meter, seed):
    batch = batch_of(seed)
    answers = Learned(TrueGMM(batch), TrueTom(batch)).answers(None, batch)
    assert list(answers) == ["spline", "flow", "full"]
    found = {name: meter.measure(batch, answer) for name, answer in answers.items()}
    assert list(found["full"]) == list(FIGURES)
    for name in ("flow", "full"):
        assert found[name]["garment_iou"] == 1
        assert found[name]["epe"] == pytest.approx(0, abs=1e-3)
    assert found["full"]["l1_inside"] == 0
    assert found["full"]["ssim"] == pytest.approx(1, abs=1e-5)
    assert found["full"]["ssim_box"] == pytest.approx(1, abs=1e-5)
    assert found["spline"]["epe"] == pytest.approx(PIXELS, rel=1e-3)
    assert found["spline"]["garment_iou"] < 1
    # Grey is left beside the garment, and under it the truth is not known.
    assert found["flow"]["l1_inside"] > 0 and found["flow"]["ssim"] < 1
    assert all(figures["seconds"] > 0 and figures["perceptual"] is None for figures in found.values())


def test_what_the_flow_pastes():
    batch = batch_of()
    answer = Learned(TrueGMM(batch), TrueTom(batch), ["flow"]).answers(None, batch)["flow"]
    shown = (batch["target_garment"] > 0) & (answer.garment > 0.999)
    assert shown.any()
    torch.testing.assert_close(answer.image.where(shown, 0), batch["target"].where(shown, 0), atol=0.01, rtol=0)
    grey = (batch["agnostic_mask"] > 0) & (answer.garment == 0)
    assert grey.any() and not answer.image.where(grey, 0).any()
    kept = (batch["agnostic_mask"] == 0) & (answer.garment == 0)
    torch.testing.assert_close(answer.image.where(kept, 0), batch["person"].where(kept, 0))


def test_full_keeps_the_photo_where_nothing_is_repainted():
    batch = drawn.batch(1)
    where = repaintable(batch["agnostic_mask"], batch["parse"], batch["category"]) > 0
    made = TrueTom(batch | {"target": torch.full_like(batch["person"], 0.3)})
    image = Learned(TrueGMM(batch), made, ["full"]).answers(None, batch)["full"].image
    assert (image.where(~where, 0) == batch["person"].where(~where, 0)).all()
    assert (image.where(where, 0.3) == 0.3).all()


def test_overlap_counts_only_what_may_be_repainted(meter):
    batch = batch_of()
    height, width = drawn.SIZE
    worn, seen = torch.zeros(2, 1, 1, height, width)
    worn[..., 20:30, 10:30], seen[..., 20:30, 20:40] = 1, 0.6
    batch["target_garment"] = worn
    assert meter.measure(batch, unchanged(batch, garment=seen))["garment_iou"] == pytest.approx(1 / 3)
    seen[..., :3, :] = worn[..., :3, :] = 1  # above all that may be repainted
    assert meter.measure(batch, unchanged(batch, garment=seen))["garment_iou"] == pytest.approx(1 / 3)
    assert meter.measure(batch, unchanged(batch, garment=0.4 * seen))["garment_iou"] == 0
    batch["target_garment"] = torch.zeros_like(worn)
    assert meter.measure(batch, unchanged(batch))["garment_iou"] is None


def test_colours_count_inside(meter):
    batch = batch_of()
    where = repaintable(batch["agnostic_mask"], batch["parse"], batch["category"])
    batch["target"] = 0.5 * batch["person"]
    image = (batch["target"] + 0.2 * where - 0.4 * (1 - where)).clamp(-1, 1)
    assert meter.measure(batch, unchanged(batch, image=image))["l1_inside"] == pytest.approx(0.1, abs=1e-6)


def test_figures_that_cannot_be_told(meter):
    batch = batch_of()
    flow = batch["flow"] + 0.2
    assert meter.measure(batch, unchanged(batch, flow=flow))["epe"] == pytest.approx(PIXELS, rel=1e-3)
    assert meter.measure(batch, unchanged(batch))["epe"] is None
    batch["has_flow"] = torch.tensor([False])
    assert meter.measure(batch, unchanged(batch, flow=flow))["epe"] is None
    batch["agnostic_mask"], batch["parse"] = torch.zeros_like(batch["agnostic_mask"]), torch.zeros_like(batch["parse"])
    found = meter.measure(batch, unchanged(batch))
    assert found["l1_inside"] is None and found["ssim_box"] is None and found["ssim"] is not None
    batch["agnostic_mask"][..., 20:24, 20:24] = 1  # grown by a pixel on each side: too small for the window
    assert meter.measure(batch, unchanged(batch))["ssim_box"] is None
    without = Meter(None, None).measure(batch, unchanged(batch))
    assert without["ssim"] is None and without["l1_inside"] is not None


def test_ssim_of_the_box(meter):
    batch = batch_of()
    batch["agnostic_mask"] = torch.zeros_like(batch["agnostic_mask"])
    batch["agnostic_mask"][..., 10:40, 8:30] = 1
    batch["category"] = torch.tensor([1])  # a skirt leaves what is below as it is
    image = batch["person"].clone()
    image[..., 20:30, 10:20] = -0.5
    found = meter.measure(batch, unchanged(batch, image=image))
    box = (..., slice(9, 41), slice(7, 31))  # a 64th of 64 pixels wider
    expected = meter.ssim((image[box] + 1) / 2, (batch["target"][box] + 1) / 2)
    assert found["ssim_box"] == pytest.approx(float(expected)) and found["ssim_box"] < found["ssim"]


def test_the_perceptual_distance_names_its_network(model_files):
    meter = Meter.make("efficientnet-lite0", "cpu")
    assert meter.settings()["perceptual"] == "efficientnet-lite0"
    assert any("EfficientNet-Lite0" in note for note in meter.notes)
    batch = batch_of()
    same, other = (meter.likeness(image, batch["target"]) for image in (batch["target"], -batch["target"]))
    assert same["perceptual"] == 0 and other["perceptual"] > 0.1
    assert same["ssim"] == pytest.approx(1, abs=1e-5) and other["ssim"] < 0.5


def test_without_torchmetrics_the_reader_is_told(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torchmetrics.functional.image", None)
    meter = Meter.make("none", "cpu")
    assert meter.ssim is None and meter.settings() == {"ssim": None, "perceptual": None}
    assert len(meter.notes) == 1 and "torchmetrics is not installed" in meter.notes[0]
