import json
from dataclasses import fields, replace

import cv2
import numpy as np
import pytest

from vto_utils.labels import CATEGORIES, ID
from vto_utils.synth.fabrics import HELD_OUT_FAMILIES
from vto_utils.synth.people import HELD_OUT_HAIR
from vto_utils.synth.plans import Plan
from vto_utils.synth.samples import Flat, Generator, Sample, SynthConfig, View
from vto_utils.synth.wardrobe import HELD_OUT

SIZE = (128, 96)
KEYS = [(category, split) for category in CATEGORIES for split in ("train", "test")]
INDEX = {key: 3 + number for number, key in enumerate(KEYS)}
KINDS = {
    "upper_body": {"upper-clothes"},
    "lower_body": {"pants", "skirt"},
    "dresses": {"dress"},
}


def config(key, **changes):
    category, split = key
    return SynthConfig(**{"size": SIZE, "seed": 1, "held_out": float(split == "test"), "category": category, **changes})


@pytest.fixture(scope="module")
def samples():
    """One sample of each category and split."""
    return {key: Generator(config(key)).sample(INDEX[key]) for key in KEYS}


@pytest.fixture(params=KEYS, ids=lambda key: " ".join(key))
def key(request):
    return request.param


@pytest.fixture
def sample(samples, key):
    return samples[key]


def views(sample):
    return (sample.a, sample.flat_a), (sample.b, sample.flat_b)


def same(one, two):
    """Fail where two samples, views or flats differ."""
    for field in fields(one):
        first, second = getattr(one, field.name), getattr(two, field.name)
        if isinstance(first, (View, Flat)):
            same(first, second)
        elif isinstance(first, np.ndarray):
            assert first.dtype == second.dtype
            np.testing.assert_array_equal(first, second, err_msg=field.name)
        else:
            assert first == second, field.name


def array(values, shape, dtype):
    assert isinstance(values, np.ndarray) and values.shape == shape and values.dtype == dtype
    if np.issubdtype(dtype, np.floating):
        assert np.isfinite(values).all()


def test_arrays_are_as_documented(sample, key):
    height, width = SIZE
    assert isinstance(sample, Sample)
    assert (sample.category, sample.split, sample.index) == (*key, INDEX[key])
    for view, flat in views(sample):
        array(view.image, (height, width, 3), np.uint8)
        array(view.parse, SIZE, np.uint8)
        array(view.mask, SIZE, np.uint8)
        array(view.albedo, (height, width, 3), np.uint8)
        array(view.flow, (height, width, 2), np.float32)
        array(view.valid, SIZE, np.bool_)
        array(view.side, SIZE, np.uint8)
        array(view.depth, SIZE, np.float32)
        array(view.normal, (height, width, 3), np.float32)
        array(flat.image, (height, width, 3), np.uint8)
        array(flat.mask, SIZE, np.uint8)
        array(flat.albedo, (height, width, 3), np.uint8)
        assert set(np.unique(view.mask)) == set(np.unique(flat.mask)) == {0, 255}
        assert view.image.std() > 10 and flat.image.std() > 5
    array(sample.keypoints, (18, 3), np.float32)
    array(sample.parts, SIZE, np.uint8)
    array(sample.part_uv, (height, width, 2), np.float32)
    array(sample.agnostic, (height, width, 3), np.uint8)
    array(sample.agnostic_mask, SIZE, np.uint8)
    array(sample.agnostic_parse, SIZE, np.uint8)
    array(sample.person_mask, SIZE, np.uint8)
    assert sample.parts.max() <= 24
    assert sample.part_uv.min() >= 0 and sample.part_uv.max() <= 1
    assert (sample.part_uv[sample.parts == 0] == 0).all()
    assert set(np.unique(sample.agnostic_mask)) == {0, 255}


def test_masks_are_the_labels_of_the_category(sample, key):
    allowed = {ID[name] for name in KINDS[key[0]]}
    for view, _ in views(sample):
        seen = set(np.unique(view.parse))
        worn = allowed & seen
        assert len(worn) == 1 and max(seen) < 20
        label = view.parse == worn.pop()
        assert (label[view.mask > 0]).all()
        assert (view.mask > 0).sum() > 0.97 * label.sum()
        assert 0.02 < (view.mask > 0).mean() < 0.7
        # two categories' garments are worn together, a dress alone
        clothes = seen & {ID[name] for names in KINDS.values() for name in names}
        assert len(clothes) == (1 if key[0] == "dresses" else 2)


def test_flow_leads_from_the_person_to_the_flat(sample):
    for view, flat in views(sample):
        worn = view.mask > 0
        assert not (view.valid & ~worn).any()
        assert np.abs(view.flow).max() <= 1 and (view.flow[~view.valid] == 0).all()
        assert (view.albedo[~worn] == 0).all() and (view.side[~worn] == 0).all()
        assert set(np.unique(view.side[worn])) <= {1, 2}
        assert view.valid.sum() > 0.5 * worn.sum()  # a slim doll hides much of the sides, which a turned person shows
        # it leads into the flat's mask, and to many places
        column, row = (((view.flow[view.valid] + 1) / 2) * SIZE[::-1]).astype(int).T
        assert (flat.mask[row, column] > 0).all()
        assert len(np.unique(row * SIZE[1] + column)) > 0.3 * view.valid.sum()


def difference(view, flat):
    """Mean absolute difference of the flat's albedo, warped by the flow, and the garment without light."""
    height, width = view.valid.shape
    column = ((view.flow[..., 0] + 1) * width / 2 - 0.5).astype(np.float32)
    row = ((view.flow[..., 1] + 1) * height / 2 - 0.5).astype(np.float32)
    warped = cv2.remap(flat.albedo, column, row, cv2.INTER_LINEAR)
    return np.abs(warped.astype(int) - view.albedo)[view.valid].mean()


def test_the_warped_flat_is_the_worn_garment(samples):
    apart = [difference(view, flat) for sample in samples.values() for view, flat in views(sample)]
    assert np.mean(apart) < 8  # of 255; prints blur in pictures as small as these; see `test_scene` for one that cannot
    assert min(apart) < 2  # plain cloth
    # a flow that is wrong by a few pixels is far worse
    moved = [
        difference(replace(view, flow=np.clip(view.flow + np.float32([0.08, 0.06]), -1, 1)), flat)
        for sample in samples.values()
        for view, flat in views(sample)
    ]
    assert np.mean(moved) > 1.5 * np.mean(apart)


def test_flow_agrees_with_the_map_of_the_body(samples):
    """Where two points of the skin are neighbours, so are the places in the flat of the cloth on them."""
    for sample in samples.values():
        for view, _ in views(sample):
            both = view.valid[:, 1:] & view.valid[:, :-1]
            both &= (sample.parts[:, 1:] == sample.parts[:, :-1]) & (sample.parts[:, 1:] > 0)
            step = np.linalg.norm(np.diff(view.flow, axis=1), axis=2)[both]
            assert len(step) > 50
            # a person takes up less of a picture than a flat does; cloth that hangs may jump, but seldom
            assert 0.005 < np.median(step) < 0.1 and np.mean(step > 0.4) < 0.03


def test_both_views_show_the_same_person(sample):
    """Away from the clothes and their shadows only a JPEG's blocks may differ."""
    clothes = [ID[name] for names in KINDS.values() for name in names]
    dressed = np.isin(sample.a.parse, clothes) | np.isin(sample.b.parse, clothes)
    far = cv2.dilate(dressed.astype(np.uint8), np.ones((13, 13))) == 0
    for name in ("face", "hair"):
        one, two = sample.a.parse == ID[name], sample.b.parse == ID[name]
        assert (one == two)[far].all()
        if (one & far).any():
            apart = np.abs(sample.a.image.astype(int) - sample.b.image)[one & far]
            assert np.median(apart) <= 4 and apart.mean() < 8
    wall = (sample.a.parse == 0) & (sample.b.parse == 0)
    apart = np.abs(sample.a.image.astype(int) - sample.b.image)[wall]
    assert np.median(apart) <= 2 and np.percentile(apart, 95) < 16
    worn = (sample.a.mask > 0) & (sample.b.mask > 0)
    assert np.abs(sample.a.albedo.astype(int) - sample.b.albedo)[worn].mean() > 4  # other clothes
    assert np.abs(sample.flat_a.image.astype(int) - sample.flat_b.image).mean() > 2


def test_keypoints_are_in_the_picture_or_say_so(sample):
    x, y, confidence = sample.keypoints.T
    assert set(np.unique(confidence)) <= {0.0, 0.5, 1.0}
    inside = (x >= 0) & (y >= 0) & (x < SIZE[1]) & (y < SIZE[0])
    np.testing.assert_array_equal(inside, confidence > 0)
    assert (confidence > 0).sum() >= 8
    seen = confidence == 1
    rows, columns = y[seen].astype(int), x[seen].astype(int)
    for view, _ in views(sample):
        assert (view.parse[rows, columns] > 0).mean() > 0.9
    # the person's left is on the picture's right, and the order from top to bottom is that of the body
    for right, left in ((2, 5), (8, 11), (14, 15), (16, 17)):
        assert x[left] > x[right]
    assert y[0] < y[1] < y[8] < y[9] < y[10]
    assert abs(x[1] - (x[2] + x[5]) / 2) < 1.5


def test_keypoints_lie_on_the_parts_they_name(samples):
    hits = []
    for sample in samples.values():
        x, y, confidence = sample.keypoints.T
        seen = np.pad(sample.parts, 3)
        for number, parts in (
            (3, (16, 18, 20, 22)), (6, (15, 17, 19, 21)), (4, (3, 20, 22)), (7, (4, 19, 21)),
            (9, (7, 9, 11, 13)), (12, (8, 10, 12, 14)), (0, (23, 24)), (14, (23, 24)),
        ):  # fmt: skip
            if confidence[number] == 1:
                row, column = int(y[number]) + 3, int(x[number]) + 3
                hits.append(np.isin(seen[row - 3 : row + 4, column - 3 : column + 4], parts).any())
    assert len(hits) > 20 and np.mean(hits) > 0.95


def test_the_agnostic_picture_hides_both_outfits_and_nothing_else(sample, key):
    region = sample.agnostic_mask > 0
    worn = (sample.a.mask > 0) | (sample.b.mask > 0)
    assert region[worn].mean() > 0.98
    for name in ("face", "hair", "left-shoe", "right-shoe"):
        kept = (sample.a.parse == ID[name]) & (sample.b.parse == ID[name])
        assert not region[kept].any(), name
    if key[0] == "upper_body":  # arms may be shown or hidden by another sleeve
        arms = np.isin(sample.a.parse, (ID["left-arm"], ID["right-arm"]))
        assert region[arms].mean() > 0.5
        other = np.isin(sample.a.parse, (ID["pants"], ID["skirt"])) & (sample.a.parse == sample.b.parse)
        assert not region[other].any()
    if key[0] == "lower_body":
        other = (sample.a.parse == ID["upper-clothes"]) & (sample.a.parse == sample.b.parse)
        assert not region[other].any()
    assert region.mean() < 0.8
    np.testing.assert_array_equal(sample.agnostic[region], 128)
    np.testing.assert_array_equal(sample.agnostic[~region], sample.a.image[~region])
    np.testing.assert_array_equal(sample.agnostic_parse[~region], sample.a.parse[~region])
    assert (sample.agnostic_parse[region] == 0).all()


def test_the_persons_mask_is_soft_at_the_edge(sample):
    person = sample.a.parse > 0
    assert ((sample.person_mask > 127) == person).mean() > 0.99
    between = (sample.person_mask > 0) & (sample.person_mask < 255)
    ring = cv2.dilate(person.astype(np.uint8), np.ones((3, 3))) - cv2.erode(person.astype(np.uint8), np.ones((3, 3)))
    assert between.any() and (ring[between] > 0).mean() > 0.9
    np.testing.assert_array_equal(sample.a.depth > 0, sample.person_mask >= 128)
    assert (np.linalg.norm(sample.a.normal, axis=-1)[sample.a.depth > 0] > 0.99).all()


def test_held_out_clothes_and_people_are_in_the_test_split_only(samples):
    for (_, split), sample in samples.items():
        test = split == "test"
        assert sample.params["held_out"] == test
        for name in ("first", "second"):
            garment = sample.params[name]
            assert (garment["style"]["family"] in HELD_OUT) == test
            assert (garment["fabric"]["family"] in HELD_OUT_FAMILIES) == test
        identity = sample.params["identity"]
        assert identity["skin_seed"] % 2 == identity["hair_seed"] % 2 == int(test)
        assert test or identity["hair"] not in HELD_OUT_HAIR
        if sample.params["other"] is not None:  # what is not looked at is never held out
            assert sample.params["other"]["style"]["family"] not in HELD_OUT


def test_samples_differ_from_one_another(samples):
    pictures = [sample.a.image.astype(int) for sample in samples.values()]
    for k, one in enumerate(pictures):
        for two in pictures[:k]:
            assert np.abs(one - two).mean() > 5
    assert len({json.dumps(sample.params["identity"]) for sample in samples.values()}) == len(samples)


def test_a_sample_is_the_same_whatever_was_made_before(samples):
    key = ("upper_body", "train")
    generator = Generator(config(key))
    other = generator.sample(INDEX[key] + 1)
    same(generator.sample(INDEX[key]), samples[key])
    assert np.abs(other.a.image.astype(int) - samples[key].a.image).mean() > 5
    assert generator.timings and all(seconds >= 0 for seconds in generator.timings.values())
    assert generator.notes == ()


def test_a_sample_can_be_made_again_from_its_json(samples):
    key = ("dresses", "test")
    plan = Plan.from_dict(json.loads(json.dumps(samples[key].params)))
    assert plan == Generator(config(key)).plan(INDEX[key])
    # by a generator with another seed too: the plan says it all
    same(Generator(config(key, seed=77)).render(plan, INDEX[key]), samples[key])


def test_two_sizes_show_the_same(samples):
    key = ("upper_body", "test")
    small, large = samples[key], Generator(config(key, size=(256, 192))).sample(INDEX[key])
    assert large.params == small.params
    np.testing.assert_allclose(large.keypoints[:, :2] / 2, small.keypoints[:, :2], atol=0.01)
    for one, two in zip(views(small), views(large), strict=True):
        agree = np.mean([two[0].parse[i::2, j::2] == one[0].parse for i in (0, 1) for j in (0, 1)])
        assert agree > 0.96
        shrunk = cv2.resize(two[0].mask.astype(np.float32), SIZE[::-1], interpolation=cv2.INTER_AREA) >= 127
        own = one[0].mask > 0
        assert (shrunk & own).sum() / (shrunk | own).sum() > 0.93
        both = one[0].valid & two[0].valid[::2, ::2] & two[0].valid[1::2, 1::2]
        there = (two[0].flow[::2, ::2] + two[0].flow[1::2, 1::2])[both] / 2
        assert both.sum() > 0.7 * one[0].valid.sum()
        assert np.median(np.abs(there - one[0].flow[both])) < 0.01
        picture = cv2.resize(two[0].image, SIZE[::-1], interpolation=cv2.INTER_AREA).astype(int)
        assert np.abs(picture - one[0].image).mean() < 12
        flat = cv2.resize(two[1].albedo, SIZE[::-1], interpolation=cv2.INTER_AREA).astype(int)
        assert np.abs(flat - one[1].albedo).mean() < 8
    # larger pictures blur less: the flow's exactness is told there
    assert np.mean([difference(*pair) for pair in views(large)]) < 6


def test_the_fingerprint_names_what_samples_depend_on():
    start = SynthConfig(size=SIZE, seed=1)
    prints = {
        Generator(changed).fingerprint
        for changed in (
            start,
            replace(start, seed=2),
            replace(start, size=(256, 192)),
            replace(start, held_out=0.2),
            replace(start, category="dresses"),
        )
    }
    assert len(prints) == 5
    assert Generator(start).fingerprint == Generator(replace(start)).fingerprint


def test_categories_and_splits_come_in_the_shares_asked_for():
    generator = Generator(SynthConfig(size=SIZE, seed=0, held_out=0.3))
    plans = [generator.plan(index) for index in range(24)]
    assert {plan.category for plan in plans} == set(CATEGORIES)
    assert 0.05 < np.mean([plan.held_out for plan in plans]) < 0.6
    tops = np.mean([plan.category == "upper_body" for plan in plans])
    assert 0.35 < tops < 0.9
    for plan in plans:
        kinds = [garment and garment.style.kind for garment in (plan.first, plan.second, plan.other)]
        if plan.category == "upper_body":
            assert kinds[:2] == ["top", "top"] and kinds[2] in ("trousers", "skirt")
        elif plan.category == "dresses":
            assert kinds == ["dress", "dress", None]
        else:
            assert set(kinds[:2]) <= {"trousers", "skirt"} and kinds[2] == "top"
        if {"skirt", "dress"} & set(kinds):
            assert plan.identity.gender < 0.5
    assert not any(Generator(SynthConfig(held_out=0.0)).plan(index).held_out for index in range(4))


def test_assets_that_are_not_there_are_told_and_done_without(tmp_path):
    gone = Generator(SynthConfig(size=SIZE, assets=tmp_path / "nowhere"))
    assert len(gone.notes) == 1 and "nowhere" in gone.notes[0]
    assert gone.plan(0) == Generator(SynthConfig(size=SIZE)).plan(0)
    empty = Generator(SynthConfig(size=SIZE, assets=tmp_path))
    assert len(empty.notes) == 2 and all(str(tmp_path) in note for note in empty.notes)
