"""People as numbers: draws, ranges, round trips."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from vto_utils.synth.body import load_body
from vto_utils.synth.people import HAIR_FALLS, HAIR_STYLES, HELD_OUT_HAIR, SHOE_KINDS, Identity, sample_identity
from vto_utils.synth.seeds import stream


@pytest.fixture(scope="module")
def crowd() -> list[Identity]:
    return [sample_identity(stream(0, k, "identity")) for k in range(600)]


def test_the_same_stream_gives_the_same_person() -> None:
    assert sample_identity(stream(3, 8, "identity")) == sample_identity(stream(3, 8, "identity"))
    assert sample_identity(stream(3, 8, "identity")) != sample_identity(stream(3, 9, "identity"))


def test_json_round_trip(crowd: list[Identity]) -> None:
    for identity in crowd[:50]:
        assert Identity.from_dict(json.loads(json.dumps(identity.as_dict()))) == identity


def test_unknown_keys_and_hair_are_refused() -> None:
    with pytest.raises(ValueError, match="moustache"):
        Identity.from_dict({"moustache": 1.0})
    with pytest.raises(ValueError, match="beehive"):
        Identity.from_dict({"hair": "beehive"})


def test_every_value_is_in_its_range(crowd: list[Identity]) -> None:
    shares = (
        "gender", "age", "muscle", "weight", "height", "cup", "tone", "blush", "freckles", "stubble", "lipstick",
        "brow", "hair_length", "hair_volume", "fringe",
    )  # fmt: skip
    for identity in crowd:
        for name in shares:
            assert 0 <= getattr(identity, name) <= 1, name
        assert -1 <= identity.undertone <= 1 and -1 <= identity.parting <= 1
        assert sum(identity.origin) == pytest.approx(1)
        for colour in (identity.hair_colour, identity.brow_colour, identity.iris, identity.shoe_colour):
            assert len(colour) == 3 and all(0 <= c <= 1 for c in colour)
        assert identity.hair in HAIR_STYLES and identity.shoes in SHOE_KINDS and identity.falls in HAIR_FALLS


def test_everybody_is_there(crowd: list[Identity]) -> None:
    tones = np.histogram([identity.tone for identity in crowd], bins=8, range=(0, 1))[0]
    assert (tones > 15).all()
    women = np.mean([identity.gender < 0.5 for identity in crowd])
    assert 0.4 < women < 0.7
    ages = np.array([identity.age for identity in crowd])
    assert (ages < 0.1).mean() > 0.1 and (ages > 0.5).mean() > 0.05
    hair = Counter(identity.hair for identity in crowd)
    assert set(hair) == set(HAIR_STYLES) - HELD_OUT_HAIR
    assert set(identity.shoes for identity in crowd) == set(SHOE_KINDS)
    fronts = Counter(identity.falls for identity in crowd)
    assert 0.2 < 1 - fronts["behind"] / len(crowd) < 0.5


def test_proportions_stay_natural(crowd: list[Identity]) -> None:
    weight = np.array([identity.weight for identity in crowd])
    assert (np.abs(weight - 0.5) < 0.25).mean() > 0.9
    height = np.array([identity.height for identity in crowd])
    assert (np.abs(height - 0.5) < 0.25).mean() > 0.9


def test_face_targets_exist_and_are_small(crowd: list[Identity]) -> None:
    known = set(load_body().target_names)
    for identity in crowd:
        assert set(identity.targets) <= known
        assert max(identity.targets.values()) <= 0.8
        assert identity.targets["browInnerUp"] > 0.25  # the base face frowns


def test_held_out_people_are_other_people() -> None:
    train = [sample_identity(stream(0, k, "identity")) for k in range(200)]
    test = [sample_identity(stream(0, k, "identity"), held_out=True) for k in range(200)]
    assert not HELD_OUT_HAIR & {identity.hair for identity in train}
    assert {identity.hair for identity in test} >= HELD_OUT_HAIR
    assert not {identity.skin_seed for identity in train} & {identity.skin_seed for identity in test}
    assert not {identity.hair_seed for identity in train} & {identity.hair_seed for identity in test}


def test_the_body_takes_the_shape(crowd: list[Identity]) -> None:
    body = load_body()
    for identity in crowd[:20]:
        nodes = body.nodes(identity.body_shape())
        assert np.isfinite(nodes).all()
        height = np.ptp(nodes[: body.count, 1])
        assert 13.5 < height < 20.5  # dm
