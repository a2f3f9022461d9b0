from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from vto_utils.errors import InputError
from vto_utils.garment_reading import GarmentNetReader, letterbox
from vto_utils.networks.garment import (
    CATEGORIES,
    CATEGORY_OF,
    KINDS,
    LABELS,
    GarmentConfig,
    GarmentNet,
    category_logits,
    load_garment_net,
    save_garment_net,
)


@pytest.fixture(scope="module")
def net() -> GarmentNet:
    torch.manual_seed(0)
    return GarmentNet(GarmentConfig(width=16, depths=(1, 1, 0, 0), hidden=16)).eval()


def test_shapes(net: GarmentNet) -> None:
    with torch.inference_mode():
        answer = net(torch.randn(2, 3, 96, 64))
    assert answer.mask.shape == (2, 1, 24, 16)
    assert answer.label.shape == (2, len(LABELS)) and answer.kind.shape == (2, len(KINDS))


@pytest.mark.parametrize("shape", [(1, 4, 64, 64), (1, 3, 60, 64), (3, 64, 64)])
def test_other_shapes_are_refused(net: GarmentNet, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="GarmentNet|multiples of 32"):
        net(torch.zeros(shape))


def test_configurations_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="depths"):
        GarmentConfig(depths=(1, 1, 1))
    with pytest.raises(ValueError, match="16"):
        GarmentConfig(width=20)


def test_every_label_has_a_category() -> None:
    assert set(CATEGORY_OF) == set(LABELS) and set(CATEGORY_OF.values()) == set(CATEGORIES)


def test_chances_of_labels_add_up_to_those_of_categories() -> None:
    label = torch.randn(5, len(LABELS), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    chances = category_logits(label).softmax(1)
    for number, category in enumerate(CATEGORIES):
        rows = [i for i, name in enumerate(LABELS) if CATEGORY_OF[name] == category]
        torch.testing.assert_close(chances[:, number], label.softmax(1)[:, rows].sum(1))


def test_labels_do_not_move_the_mask(net: GarmentNet) -> None:
    answer = net(torch.randn(1, 3, 64, 64))
    (answer.label.sum() + answer.kind.sum()).backward()
    assert net.mask.weight.grad is None
    assert net.read[0].weight.grad.abs().sum() > 0 and next(net.encoder.parameters()).grad.abs().sum() > 0
    net.zero_grad()


def test_round_trip_of_the_weights(net: GarmentNet, tmp_path: Path) -> None:
    path = tmp_path / "garment.safetensors"
    save_garment_net(path, net)
    again = load_garment_net(path)
    assert again.config == net.config and not again.training
    for name, tensor in net.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], tensor, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("content", [None, b"", b"not weights"])
def test_weights_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "garment.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="holds no garment reader"):
        load_garment_net(path)


@pytest.mark.parametrize("size", [(64, 64), (120, 40), (31, 333)])
def test_reading_has_the_photos_size(net: GarmentNet, size: tuple[int, int]) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    reading = GarmentNetReader(net, (64, 64)).read(photo)
    assert reading.mask.shape == size and reading.mask.dtype == np.float32
    assert reading.mask.min() >= 0 and reading.mask.max() <= 1
    for chances in (reading.categories, reading.labels, reading.kinds):
        assert chances.sum() == pytest.approx(1, abs=1e-5)
    assert reading.chance(reading.kind) == reading.kinds.max()
    assert CATEGORY_OF[LABELS[int(reading.labels.argmax())]] in CATEGORIES


def test_a_mirrored_photo_is_a_mirrored_answer(net: GarmentNet) -> None:
    photo = np.random.default_rng(2).integers(0, 256, (64, 64, 3), np.uint8)
    reader = GarmentNetReader(net, (64, 64))
    one, other = reader.read(photo), reader.read(np.ascontiguousarray(photo[:, ::-1]))
    np.testing.assert_allclose(one.mask, other.mask[:, ::-1], atol=1e-5)
    np.testing.assert_allclose(one.kinds, other.kinds, atol=1e-5)


def test_letterbox_keeps_corners_and_centre() -> None:
    matrix = letterbox((100, 50), (64, 64))
    corner, centre = matrix @ (-0.5, -0.5, 1), matrix @ (24.5, 49.5, 1)
    np.testing.assert_allclose(centre, (31.5, 31.5))
    np.testing.assert_allclose(corner, (15.5, -0.5))
