from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from drawn_labels import body

from vto_utils import networks
from vto_utils.datasets.sample import CATEGORIES, visible_garment
from vto_utils.labels import ID, NAMES
from vto_utils.networks import inputs
from vto_utils.networks.body_frames import body_frames
from vto_utils.networks.inputs import LAYOUT, PARSE_GROUPS

SIZE = (128, 96)


def parses(*variants: dict) -> torch.Tensor:
    return torch.from_numpy(np.stack([body(**variant) for variant in variants]))


def region(batch: int = 1, size: tuple[int, int] = SIZE) -> torch.Tensor:
    mask = torch.zeros(batch, 1, *size)
    mask[..., 26:100, 20:76] = 1
    return mask


def keypoints(batch: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(batch, 18, 3, generator=generator) * torch.tensor([96.0, 128.0, 0.8]) + torch.tensor(
        [0, 0, 0.2]
    )
    return points


def test_every_label_has_one_group():
    names = [name for group in PARSE_GROUPS.values() for name in group]
    assert sorted(names) == sorted(NAMES)
    one_hot = inputs.parse_one_hot(torch.arange(20, dtype=torch.uint8).view(1, 4, 5))
    assert one_hot.shape == (1, 12, 4, 5) and torch.equal(one_hot.sum(1), torch.ones(1, 4, 5))
    for channel, group in enumerate(PARSE_GROUPS.values()):
        shown = one_hot[0, channel].flatten().nonzero().flatten().tolist()
        assert shown == sorted(ID[name] for name in group)


def test_unknown_labels_are_other():
    one_hot = inputs.parse_one_hot(torch.tensor([[[255, 20, 77]]], dtype=torch.uint8))
    assert torch.equal(one_hot[0, 0], torch.ones(1, 3))


def test_person_layout_is_made_of_its_parts():
    parse, mask, points = parses({}, {"upper": "dress"}), region(2), keypoints(2)
    made = inputs.person_layout(parse, mask, points, torch.tensor([0, 2]))
    assert made.shape == (2, 45, *SIZE) and made.dtype == torch.float32
    assert networks.GMMConfig.product().person_channels == 45
    parts, seen, shape, maps, places, wanted = made.split([12, 1, 1, 18, 10, 3], dim=1)
    assert made.min() >= -1 and made.max() <= 1 and min(x.min() for x in (parts, seen, shape, maps, wanted)) >= 0
    assert torch.equal(seen, mask)
    assert not (parts * mask).any()  # nothing of the old garment
    torch.testing.assert_close(parts.sum(1, keepdim=True), 1 - mask)
    torch.testing.assert_close(shape, inputs.body_shape(parse))
    torch.testing.assert_close(maps, inputs.heatmaps(points, SIZE))
    assert torch.equal(places, body_frames(points, SIZE))
    assert torch.equal(wanted.mean((2, 3)), torch.tensor([[1.0, 0, 0], [0, 0, 1]]))


def test_old_garment_does_not_show():
    """A top and a dress of one outline give the same input where the mask covers them."""
    mask, points, category = region(2), keypoints().expand(2, -1, -1), torch.zeros(2, dtype=torch.long)
    made = inputs.person_layout(parses({}, {"upper": "coat"}), mask, points, category)
    assert torch.equal(made[0], made[1])


def test_one_sample_is_treated_as_in_a_batch():
    parse, mask, points = parses({}, {"lower": "skirt"}), region(2), keypoints(2)
    category = torch.tensor([1, 0])
    together = inputs.person_layout(parse, mask, points, category)
    alone = inputs.person_layout(parse[1:], mask[1:], points[1:], category[1:])
    assert torch.equal(together[1:], alone)


def test_heatmap_is_its_formula():
    points = torch.tensor([[[10.5, 20.5, 1.0], [30.0, 5.0, 0.05], [-2.0, 20.5, 0.9]] + [[0.0, 0.0, 0.0]] * 15])
    maps = inputs.heatmaps(points, (96, 64))
    assert maps.shape == (1, 18, 96, 64)
    assert maps[0, 0, 20, 10] == 1  # the middle of that pixel
    assert maps[0, 0, 20, 12].item() == pytest.approx(math.exp(-0.5))  # sigma is 96 / 48 = 2
    assert maps[0, 0, 24, 10].item() == pytest.approx(math.exp(-2))
    assert not maps[0, 1].any() and not maps[0, 3:].any()  # unknown points
    assert maps[0, 2, 20, 0].item() == pytest.approx(math.exp(-0.5 * (2.5 / 2) ** 2))  # outside the picture


def test_heatmaps_do_not_depend_on_resolution():
    points = keypoints()
    large = inputs.heatmaps(points * torch.tensor([2.0, 2.0, 1.0]), (256, 192))
    small = torch.nn.functional.avg_pool2d(large, 2)
    torch.testing.assert_close(small, inputs.heatmaps(points, SIZE), atol=0.03, rtol=0)


def test_body_shape_tells_build_not_cut():
    parse = parses({})
    shape = inputs.body_shape(parse)
    person = (parse > 0).float()
    assert shape.mean().item() == pytest.approx(person.mean().item(), abs=0.02)
    steps = shape.diff(dim=-1).abs().max()
    assert 0 < steps <= 1 / 16 + 1e-6  # no edge is steeper than from one cell to the next
    assert not inputs.body_shape(torch.zeros_like(parse)).any()
    assert inputs.body_shape(parse[:, :50, :37]).shape == (1, 1, 50, 37)


def test_garment_input_and_agnostic_person():
    cloth, mask = torch.rand(2, 3, 8, 6) * 2 - 1, torch.rand(2, 1, 8, 6)
    made = inputs.garment_input(cloth, mask)
    assert torch.equal(made[:, :3], cloth) and torch.equal(made[:, 3:], mask)
    hard = (mask > 0.5).float()
    hidden = inputs.agnostic_rgb(cloth, hard)
    assert torch.equal(hidden, cloth.where(hard == 0, 0))


def labels_of(classes: torch.Tensor, ids: torch.Tensor) -> dict[str, set[str]]:
    """For each layout class, the names of the labels there."""
    return {name: {NAMES[n] for n in ids[classes == k].unique().tolist()} for k, name in enumerate(LAYOUT)}


@pytest.mark.parametrize(
    "category, worn, expected",
    [
        ("upper_body", {}, {"garment": {"upper-clothes"}, "lower-garment": {"pants"}}),
        ("upper_body", {"upper": "coat", "lower": "skirt"}, {"garment": {"coat"}, "lower-garment": {"skirt"}}),
        ("upper_body", {"upper": "dress", "lower": "dress"}, {"garment": {"dress"}, "lower-garment": set()}),
        ("upper_body", {"lower": "dress"}, {"garment": {"upper-clothes"}, "lower-garment": {"dress"}}),
        ("lower_body", {}, {"garment": {"pants"}, "lower-garment": set(), "other": {"upper-clothes"}}),
        ("dresses", {"upper": "dress", "lower": "dress"}, {"garment": {"dress"}, "lower-garment": set()}),
        ("dresses", {}, {"garment": {"upper-clothes", "pants"}}),
        ("dresses", {"upper": "coat", "lower": "dress"}, {"garment": {"dress"}, "other": {"coat"}}),
    ],
)
def test_layout_target_follows_the_category(category, worn, expected):
    ids, everywhere = parses(worn), torch.ones(1, 1, *SIZE)
    found = inputs.layout_target(ids, torch.tensor([CATEGORIES.index(category)]), everywhere)
    told = labels_of(found, ids)
    for name, names in expected.items():
        assert names <= told[name] if name == "other" else names == told[name]
    assert told["left-arm"] == {"left-arm"} and told["right-arm"] == {"right-arm"}
    assert told["torso-skin"] == {"torso-skin"} and told["legs"] == {"left-leg", "right-leg"}
    assert {"background", "face", "hair", "left-shoe"} <= told["other"]


def test_garment_of_the_layout_is_the_visible_garment():
    variants = [{}, {"upper": "dress", "lower": "dress"}, {"upper": "coat", "lower": "skirt"}, {"upper": "torso-skin"}]
    variants += [{"upper": "dress"}, {"lower": "dress"}]
    ids = parses(*variants)
    for number, category in enumerate(CATEGORIES):
        wanted = torch.full((len(variants),), number)
        found = inputs.layout_target(ids, wanted, torch.ones(len(variants), 1, *SIZE)) == LAYOUT.index("garment")
        expected = np.stack([visible_garment(one.numpy(), category) for one in ids])
        assert np.array_equal(found.numpy(), expected)


def test_nothing_is_decided_outside_the_mask():
    ids, mask, dress = parses({}), region(), torch.tensor([2])
    where = inputs.repaintable(mask, ids, dress)
    inside = inputs.layout_target(ids, dress, where)
    everywhere = inputs.layout_target(ids, dress, torch.ones(1, 1, *SIZE))
    near = where[:, 0] > 0
    assert torch.equal(inside, everywhere.where(near, 0)) and everywhere[~near].any()
    assert near[0, 24, 40] and not near[0, 23, 40]  # grown by 128 / 64 pixels


def test_a_top_may_reach_over_what_is_below_it():
    ids, mask = parses({}), region()
    open_to = {name: inputs.repaintable(mask, ids, torch.tensor([n])) for n, name in enumerate(CATEGORIES)}
    assert torch.equal(open_to["lower_body"], open_to["dresses"])
    more = (open_to["upper_body"] > open_to["dresses"])[:, 0]
    assert more.any() and {NAMES[n] for n in ids[more].unique().tolist()} <= {"pants", "left-leg", "right-leg"}
    below = torch.isin(ids, torch.tensor([ID[n] for n in ("pants", "left-leg", "right-leg")]))
    assert open_to["upper_body"][:, 0][below].all()


def test_open_places_are_background_and_bare_legs():
    names = ["background", "left-leg", "right-leg", "pants", "torso-skin", "left-arm", "hair", "upper-clothes"]
    found = inputs.open_places(torch.tensor([[ID[name] for name in names]]).view(1, 2, 4))
    assert found.shape == (1, 1, 2, 4)
    assert found.flatten().tolist() == [1, 1, 1, 0, 0, 0, 0, 0]


def test_what_is_below_is_open_to_a_garment_whose_hem_is_seen():
    names = ["background", "left-leg", "pants", "skirt", "torso-skin", "left-arm", "hair", "upper-clothes"]
    parse = torch.tensor([[ID[name] for name in names]]).view(1, 2, 4).repeat(2, 1, 1)
    tucked, hanging = inputs.open_places(parse, torch.tensor([False, True]))
    assert tucked.flatten().tolist() == [1, 1, 0, 0, 0, 0, 0, 0]
    assert hanging.flatten().tolist() == [1, 1, 1, 1, 0, 0, 0, 0]


def test_a_hem_is_seen_where_the_flow_reads_to_the_garments_end():
    mask = torch.zeros(1, 1, 20, 10)
    mask[..., 5:15, 2:8] = 1  # ends at 0.5
    flow = networks.identity_flow(torch.zeros(1, 1, 40, 20))
    for end, seen in ((0.5, True), (0.46, True), (0.3, False), (-0.5, False)):
        valid = (flow[:, 1:] < end).float()
        assert inputs.hem_seen(flow, valid, mask).item() is seen, end
    assert not inputs.hem_seen(flow, torch.zeros_like(flow[:, :1]), mask).item()


def test_seen_garment_is_mask_times_chance():
    config = networks.GMMConfig(person_channels=45, garment_channels=4, widths=(8, 16, 16, 16), features=16)
    gmm = networks.GMM(config)
    person = inputs.person_layout(parses({}), region(), keypoints(), torch.tensor([0]))
    garment = torch.rand(1, 4, *SIZE)
    found = gmm.warp(person, garment)
    torch.testing.assert_close(inputs.garment_seen(found), garment[:, 3:] / 7, atol=1e-5, rtol=0)  # nothing learned
    photo = torch.rand(1, 3, *SIZE) * 2 - 1
    made = inputs.synthesizer_inputs(photo, region(), keypoints(), found)
    tom = networks.TryOnSynthesizer(networks.SynthesizerConfig.product())
    with torch.no_grad():
        assert tom.synthesize(**made).image.shape == (1, 3, *SIZE)
    assert torch.equal(made["mask"], inputs.garment_seen(found))
    torch.testing.assert_close(made["layout"].sum(1), torch.ones(1, *SIZE))
    assert not (made["person"] * region()).any()


def test_wrong_shapes_are_named():
    good = (parses({}), region(), keypoints(), torch.tensor([0]))
    with pytest.raises(ValueError, match="parse must hold integers"):
        inputs.person_layout(good[0].float(), *good[1:])
    with pytest.raises(ValueError, match=r"parse must hold integers, \[1, 64, 48\]"):
        inputs.person_layout(good[0], torch.zeros(1, 1, 64, 48), *good[2:])
    with pytest.raises(ValueError, match=r"keypoints must be \[B, 18, 3\]"):
        inputs.person_layout(*good[:2], torch.zeros(1, 25, 3), good[3])
    with pytest.raises(ValueError, match=r"category must be \[1\]"):
        inputs.person_layout(*good[:3], torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="agnostic_mask"):
        inputs.person_layout(good[0], good[1][:, 0], *good[2:])
    with pytest.raises(ValueError, match="cloth_mask"):
        inputs.garment_input(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8))
