"""What is drawn: the same for the same numbers, and the same again after JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from vto_utils.synth.fabrics import HELD_OUT_FAMILIES
from vto_utils.synth.plans import CATEGORIES, Plan, draw_plan
from vto_utils.synth.wardrobe import HELD_OUT, womens


@pytest.mark.parametrize("index", range(6))
def test_json_and_back(index: int) -> None:
    plan = draw_plan(4, index, "all", 0.3)
    assert Plan.from_dict(json.loads(json.dumps(plan.as_dict()))) == plan


def test_drawn_from_seed_and_index_alone() -> None:
    first = draw_plan(1, 5, "all", 0.1)
    draw_plan(1, 6, "all", 0.1)
    assert draw_plan(1, 5, "all", 0.1) == first
    assert draw_plan(2, 5, "all", 0.1) != first and draw_plan(1, 6, "all", 0.1) != first


@pytest.mark.parametrize("category", CATEGORIES)
def test_kinds_of_a_category(category: str) -> None:
    for index in range(12):
        plan = draw_plan(0, index, category, 0.0)
        assert plan.category == category
        for garment in (plan.first, plan.second):
            assert garment.style.category == category
        assert (plan.other is None) == (category == "dresses")
        if plan.other is not None:
            assert plan.other.style.category != category


def test_the_test_split_shares_no_style_and_no_fabric_with_training() -> None:
    for test in (False, True):
        for index in range(20):
            plan = draw_plan(3, index, "all", float(test))
            assert plan.held_out == test
            for garment in (plan.first, plan.second):
                assert (garment.style.family in HELD_OUT) == test
                assert (garment.fabric.family in HELD_OUT_FAMILIES) == test


def test_womens_clothes_are_worn_by_women() -> None:
    for index in range(30):
        plan = draw_plan(8, index, "all", 0.0)
        if any(womens(worn.style) for worn in (plan.first, plan.second, plan.other) if worn is not None):
            assert plan.identity.gender < 0.5


def test_an_unknown_name_is_an_error() -> None:
    values = draw_plan(0, 0, "upper_body", 0.0).as_dict()
    with pytest.raises(TypeError):
        Plan.from_dict({**values, "hat": 1})
    with pytest.raises(KeyError):
        Plan.from_dict({name: value for name, value in values.items() if name != "pose"})


def test_one_thing_changed() -> None:
    plan = draw_plan(0, 1, "upper_body", 0.0)
    other = replace(plan, tucked=not plan.tucked)
    assert other != plan and other.first == plan.first
