from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from vto_utils import assets, segmentation
from vto_utils.background import BackgroundRemover
from vto_utils.errors import AssetError, InputError, NoPersonError
from vto_utils.segmentation import (
    BACKENDS,
    PersonSegmenter,
    build_detectron2,
    build_torchvision,
    choose_component,
    choose_person,
    segment_person,
    setup_segmentor,
)


def drawn_figure(width: int = 240, height: int = 320, left: int = 0) -> Image.Image:
    """A red figure on a light wall."""
    image = Image.new("RGB", (width, height), (225, 228, 232))
    draw = ImageDraw.Draw(image)
    draw.ellipse((left + 100, 40, left + 140, 90), fill=(200, 60, 50))
    draw.rounded_rectangle((left + 75, 85, left + 165, 300), 20, fill=(190, 30, 40))
    return image


def rectangles(size: tuple[int, int], *boxes: tuple[int, int, int, int]) -> np.ndarray:
    """Bool masks [N, H, W], one for each (x0, y0, x1, y1)."""
    masks = np.zeros((len(boxes), *size), bool)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes, strict=True):
        mask[y0:y1, x0:x1] = True
    return masks


class RedThings(torch.nn.Module):
    """Answers as a torchvision detection model does: a person where the photo is red, a dog everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.anchor = torch.nn.Parameter(torch.zeros(1))
        self.seen: list[tuple[int, ...]] = []

    def forward(self, photos: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        photo = photos[0]
        self.seen.append(tuple(photo.shape))
        red = ((photo[0] > 0.6) & (photo[2] < 0.4)).float()
        return [{"labels": torch.tensor([18, 1]), "masks": torch.stack([torch.ones_like(red), red])[:, None]}]


def red_things_bgr(array: np.ndarray) -> dict[str, Any]:
    """Answers as a Detectron2 predictor does: one person where the BGR array is red."""
    return {"instances": segmentation._Instances(((array[..., 2] > 150) & (array[..., 0] < 100))[None])}


@pytest.fixture(scope="module")
def remover(model_files: dict[str, Path]) -> BackgroundRemover:
    return BackgroundRemover()


@pytest.fixture
def only_u2netp(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model_files: dict[str, Path]) -> Path:
    """A cache folder that holds no Mask R-CNN, and no way to get one."""
    shutil.copy(model_files["u2netp"], tmp_path)
    monkeypatch.setenv("VTO_CACHE", str(tmp_path))
    monkeypatch.setattr(assets, "_from_url", no_connection)
    return tmp_path


def no_connection(*args: object) -> None:
    raise assets._Unavailable("no connection")


@pytest.fixture
def no_detectron2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "detectron2", None)


@pytest.fixture
def fresh_setup() -> Iterator[None]:
    setup_segmentor.cache_clear()
    yield
    setup_segmentor.cache_clear()


# Choosing -------------------------------------------------------------------------------------------


def test_the_larger_of_two_equally_central_people() -> None:
    assert choose_person([900, 1600], [[24.5, 49.5], [74.5, 49.5]], (100, 100)) == (1, 2)


def test_the_more_central_of_two_equally_large_people() -> None:
    assert choose_person([900, 900], [[20, 50], [45, 50]], (100, 100)) == (1, 2)


def test_score_is_area_times_centrality() -> None:
    # Half the way to the right edge and on the middle row: centrality 1 - sqrt((0.5**2 + 0) / 2) = 0.6464.
    centroids = [[74.5, 49.5], [49.5, 49.5]]
    assert choose_person([1000, 646], centroids, (100, 100))[0] == 0
    assert choose_person([1000, 647], centroids, (100, 100))[0] == 1


def test_wide_photo_measures_by_its_own_width() -> None:
    # Both are a quarter of the side away from the middle, one along each side.
    centroids = [[149.5, 49.5], [99.5, 74.5]]
    assert choose_person([1000, 1001], centroids, (100, 200))[0] == 1
    assert choose_person([1001, 1000], centroids, (100, 200))[0] == 0


def test_small_people_do_not_count() -> None:
    assert choose_person([5000, 499, 500], [[50, 50]] * 3, (100, 100)) == (0, 2)  # a tenth of the largest
    assert choose_person([49, 50], [[50, 50]] * 2, (100, 100)) == (1, 1)  # half a percent of the photo
    with pytest.raises(NoPersonError, match="No person"):
        choose_person([49], [[50, 50]], (100, 100))


def test_nobody() -> None:
    with pytest.raises(NoPersonError):
        choose_person([], np.zeros((0, 2)), (100, 100))


def test_measure_gives_area_and_centroid() -> None:
    masks = rectangles((40, 60), (10, 4, 21, 9), (0, 0, 60, 40), (5, 5, 5, 5))
    areas, centroids = segmentation._measure(masks)
    assert areas.tolist() == [55, 2400, 0]
    assert centroids[:2].tolist() == [[15, 6], [29.5, 19.5]]


def test_component_keeps_one_of_several_parts() -> None:
    central, edge, speck = rectangles((100, 120), (50, 20, 80, 90), (0, 20, 28, 95), (118, 0, 120, 2))
    mask, people = choose_component(central | edge | speck)
    assert people == 2
    assert np.array_equal(mask, central)


def test_component_of_an_empty_mask() -> None:
    with pytest.raises(NoPersonError):
        choose_component(np.zeros((30, 40), bool))


# rembg ----------------------------------------------------------------------------------------------


def test_rembg_finds_the_figure(remover: BackgroundRemover) -> None:
    image = drawn_figure()
    found = PersonSegmenter("rembg", model=remover).segment(image)
    assert found.mask.shape == (320, 240) and found.mask.dtype == np.uint8
    assert set(np.unique(found.mask)) == {0, 255}
    truth = np.asarray(image)[..., 0] < 215
    inside = found.mask > 0
    assert (truth & inside).sum() / (truth | inside).sum() > 0.9
    assert found.people == 1 and found.backend == "rembg"
    x0, y0, x1, y1 = found.box
    assert inside[y0:y1, x0:x1].sum() == inside.sum()
    assert inside[y0, x0:x1].any() and inside[y1 - 1, x0:x1].any()
    assert inside[y0:y1, x0].any() and inside[y0:y1, x1 - 1].any()


def test_rembg_takes_one_of_two_figures(remover: BackgroundRemover) -> None:
    image = drawn_figure(480, 320, left=110)
    ImageDraw.Draw(image).rounded_rectangle((390, 90, 450, 290), 20, fill=(40, 60, 150))
    found = PersonSegmenter("rembg", model=remover).segment(image)
    assert found.people == 2
    assert found.mask[200, 230] == 255 and not found.mask[:, 380:].any()


def test_rembg_on_a_plain_picture(remover: BackgroundRemover) -> None:
    segmenter = PersonSegmenter("rembg", model=remover)
    plain = np.full((80, 60, 3), 200, np.uint8)
    with pytest.raises(NoPersonError, match="No person was found"):
        segmenter.segment(plain)
    empty = segment_person(plain, segmenter)
    assert empty.mode == "L" and empty.size == (60, 80) and empty.getextrema() == (0, 0)


# auto -----------------------------------------------------------------------------------------------


def test_auto_says_why_it_took_rembg(only_u2netp: Path, no_detectron2: None) -> None:
    segmenter = PersonSegmenter()
    assert segmenter.backend == "rembg"
    assert segmenter.reason == (
        "rembg: Detectron2 is not installed; torchvision's Mask R-CNN weights are not on this machine "
        "(`python -m vto_utils assets --fetch maskrcnn-torchvision` gets them)."
    )
    assert segmenter.segment(drawn_figure()).reason == segmenter.reason


def test_auto_takes_torchvision_with_its_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_detectron2: None
) -> None:
    weights = tmp_path / "random.pth"
    model = build_torchvision(None)
    torch.save(model.state_dict(), weights)
    monkeypatch.setattr(assets, "find", {"maskrcnn-torchvision": weights}.get)
    monkeypatch.setattr(assets, "fetch", {"maskrcnn-torchvision": weights}.__getitem__)
    segmenter = PersonSegmenter(device="cpu")
    assert segmenter.backend == "torchvision"
    assert segmenter.reason == (
        "torchvision: Detectron2 is not installed; torchvision is installed, with its weights on this machine."
    )
    assert not segmenter.model.training
    pairs = zip(segmenter.model.parameters(), model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_auto_passes_over_a_package_that_does_not_load(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, only_u2netp: Path
) -> None:
    package = tmp_path / "packages" / "detectron2"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('undefined symbol: x')")
    monkeypatch.syspath_prepend(package.parent)
    for name in [name for name in sys.modules if name.split(".")[0] == "detectron2"]:
        monkeypatch.delitem(sys.modules, name)
    found = {name: assets.find(name) for name in assets.ASSETS} | {"maskrcnn-detectron2": tmp_path}
    monkeypatch.setattr(assets, "find", found.get)
    segmenter = PersonSegmenter()
    assert segmenter.backend == "rembg"
    assert "Detectron2 is installed but does not work (undefined symbol: x)" in segmenter.reason


# Bad requests ---------------------------------------------------------------------------------------


def test_unknown_backend() -> None:
    with pytest.raises(InputError) as caught:
        PersonSegmenter("yolo")
    assert all(name in str(caught.value) for name in ("yolo", "auto", *BACKENDS))


def test_unknown_device(remover: BackgroundRemover) -> None:
    with pytest.raises(InputError, match="tpu"):
        PersonSegmenter("rembg", device="tpu", model=remover)


def test_model_without_its_backend(remover: BackgroundRemover) -> None:
    with pytest.raises(InputError, match="backend"):
        PersonSegmenter(model=remover)


def test_detectron2_asked_for_and_not_installed(no_detectron2: None) -> None:
    with pytest.raises(InputError, match="Detectron2 is not installed.*README"):
        PersonSegmenter("detectron2")


def test_torchvision_asked_for_without_weights(only_u2netp: Path) -> None:
    with pytest.raises(AssetError, match="--fetch maskrcnn-torchvision"):
        PersonSegmenter("torchvision", device="cpu")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((64, 48), np.uint8),
        np.zeros((64, 48, 4), np.uint8),
        np.zeros((64, 48, 3), np.float32),
        np.zeros((1, 64, 48, 3), np.uint8),
    ],
    ids=["grey", "four channels", "float", "batch"],
)
def test_segment_person_wants_bgr_bytes(array: np.ndarray) -> None:
    with pytest.raises(InputError, match="BGR"):
        segment_person(array, red_things_bgr)


# The seed's functions -------------------------------------------------------------------------------


def test_seed_cells_run_unchanged(only_u2netp: Path, no_detectron2: None, fresh_setup: None) -> None:
    segmentor = setup_segmentor()
    image_np = np.ascontiguousarray(np.asarray(drawn_figure())[..., ::-1])
    mask = segment_person(image_np)
    assert isinstance(segmentor, PersonSegmenter) and setup_segmentor() is segmentor
    assert mask.mode == "L" and mask.size == (240, 320)
    assert mask.getpixel((120, 200)) == 255 and mask.getpixel((5, 5)) == 0
    # What the seed's own function does with its segmentor.
    outputs = segmentor(image_np)
    assert outputs["instances"].has("pred_masks") and len(outputs["instances"]) == 1
    assert np.array_equal(outputs["instances"].pred_masks[0].cpu().numpy().astype(np.uint8) * 255, mask)
    assert not segmentor(np.full_like(image_np, 200))["instances"].has("pred_masks")


def test_predictor_gets_bgr_and_model_gets_rgb() -> None:
    image = drawn_figure()
    bgr = np.ascontiguousarray(np.asarray(image)[..., ::-1])
    red = np.asarray(image)[..., 2] < 100
    assert np.array_equal(np.asarray(segment_person(bgr, red_things_bgr)) > 0, red)
    found = PersonSegmenter("torchvision", model=RedThings()).segment(image)
    assert np.array_equal(found.mask > 0, red)
    assert (found.people, found.backend) == (1, "torchvision")
    instances = PersonSegmenter("torchvision", model=RedThings())(bgr)["instances"]
    assert np.array_equal(instances.pred_masks[0], red)


def test_predictor_that_sees_only_other_things() -> None:
    def dogs(array: np.ndarray) -> dict[str, Any]:
        instances = red_things_bgr(array)["instances"]
        instances.pred_classes += 16
        return {"instances": instances}

    bgr = np.ascontiguousarray(np.asarray(drawn_figure())[..., ::-1])
    assert segment_person(bgr, dogs).getextrema() == (0, 0)


def test_large_photo_is_seen_small_and_masked_at_its_own_size() -> None:
    model = RedThings()
    image = drawn_figure().resize((1200, 1600), Image.Resampling.NEAREST)
    found = PersonSegmenter("torchvision", model=model).segment(image)
    assert model.seen == [(3, 1333, 1000)]
    red = np.asarray(image)[..., 2] < 100
    inside = found.mask > 0
    assert inside.shape == (1600, 1200) and set(np.unique(found.mask)) == {0, 255}
    assert (red & inside).sum() / (red | inside).sum() > 0.99


# Real Mask R-CNNs with random weights -----------------------------------------------------------------


def make_everything(
    category: int, classifier: torch.nn.Module, masker: torch.nn.Module, *movers: torch.nn.Module
) -> None:
    """Let random layers call every region ``category``, fill its mask and leave its box where it is."""
    with torch.no_grad():
        for layer in (classifier, masker, *movers):
            layer.weight.zero_()
            layer.bias.zero_()
        classifier.bias[category] = 8
        masker.bias.fill_(8)


def check_real_model(segmentor: PersonSegmenter) -> None:
    image = drawn_figure(120, 160, left=-60)
    found = segmentor.segment(image)
    assert found.mask.shape == (160, 120) and set(np.unique(found.mask)) <= {0, 255}
    assert found.people >= 1
    x0, y0, x1, y1 = found.box
    filled = found.mask[y0:y1, x0:x1] > 0  # a filled mask is its box, but for the rounding of its rim
    assert filled.mean() > 0.8 and filled.sum() == (found.mask > 0).sum()


def test_torchvision_with_random_weights() -> None:
    from torchvision.models.detection import maskrcnn_resnet50_fpn_v2

    torch.manual_seed(0)
    small = {"min_size": 96, "rpn_post_nms_top_n_test": 60, "box_detections_per_img": 10}
    model = maskrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None, box_score_thresh=0.5, **small)
    segmenter = PersonSegmenter("torchvision", model=model.eval())
    heads = model.roi_heads
    layers = (
        heads.box_predictor.cls_score,
        heads.mask_predictor.mask_fcn_logits,
        heads.box_predictor.bbox_pred,
        model.rpn.head.bbox_pred,
    )
    make_everything(1, *layers)
    check_real_model(segmenter)
    make_everything(18, *layers)  # a dog
    with pytest.raises(NoPersonError):
        segmenter.segment(drawn_figure(120, 160, left=-60))


def test_detectron2_with_random_weights() -> None:
    defaults = pytest.importorskip("detectron2.engine")
    torch.manual_seed(0)
    predictor = build_detectron2(None, score_threshold=0, short_side=96)
    assert isinstance(predictor, defaults.DefaultPredictor)
    image_bgr = np.ascontiguousarray(np.asarray(drawn_figure(120, 160, left=-60))[..., ::-1])
    mask = segment_person(image_bgr, predictor)  # layers left as they fell
    assert mask.mode == "L" and mask.size == (120, 160) and set(np.unique(mask)) <= {0, 255}

    heads = predictor.model.roi_heads
    layers = (
        heads.box_predictor.cls_score,
        heads.mask_head.predictor,
        heads.box_predictor.bbox_pred,
        predictor.model.proposal_generator.rpn_head.anchor_deltas,
    )
    make_everything(0, *layers)
    check_real_model(PersonSegmenter("detectron2", model=predictor))
    mask = segment_person(image_bgr, predictor)
    assert mask.size == (120, 160) and mask.getextrema() == (0, 255)
    make_everything(16, *layers)  # a dog; the others' scores are all but 0
    heads.box_predictor.test_score_thresh = 0.5
    assert segment_person(image_bgr, predictor).getextrema() == (0, 0)


def test_setup_segmentor_gives_detectron2_its_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fresh_setup: None
) -> None:
    defaults = pytest.importorskip("detectron2.engine")
    weights = tmp_path / "random.pth"
    first = build_detectron2(None)
    torch.save({"model": first.model.state_dict()}, weights)
    monkeypatch.setattr(assets, "fetch", {"maskrcnn-detectron2": weights}.__getitem__)
    segmentor = setup_segmentor()
    assert isinstance(segmentor, defaults.DefaultPredictor) and setup_segmentor() is segmentor
    assert segmentor.cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST == 0.5
    pairs = zip(first.model.parameters(), segmentor.model.parameters(), strict=True)
    assert all(torch.equal(a.cpu(), b.cpu()) for a, b in pairs)


def test_setup_segmentor_without_detectron2_weights(only_u2netp: Path, fresh_setup: None) -> None:
    pytest.importorskip("detectron2.engine")
    with pytest.warns(UserWarning, match="Detectron2 is not used: .*model_final_f10217"):
        segmentor = setup_segmentor()
    assert isinstance(segmentor, PersonSegmenter) and segmentor.backend == "rembg"
    assert "--fetch maskrcnn-detectron2" in segmentor.reason
