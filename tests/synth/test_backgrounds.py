from __future__ import annotations

import dataclasses
import json

import cv2
import numpy as np
import pytest

from vto_utils.synth.backgrounds import KINDS, BackgroundSpec, background, sample_background


def examples(count: int) -> list[BackgroundSpec]:
    """Some of every kind."""
    rng = np.random.default_rng(0)
    found: dict[str, list[BackgroundSpec]] = {kind: [] for kind in KINDS}
    while min(len(specs) for specs in found.values()) < count:
        spec = sample_background(rng)
        found[spec.kind].append(spec)
    return [spec for specs in found.values() for spec in specs[:count]]


def test_the_same_numbers_give_the_same_background_and_json_keeps_it() -> None:
    for seed in range(100):
        spec = sample_background(np.random.default_rng(seed))
        assert spec == sample_background(np.random.default_rng(seed))
        assert BackgroundSpec.from_dict(json.loads(json.dumps(dataclasses.asdict(spec)))) == spec
    assert np.array_equal(background(spec, (64, 48), 0.8), background(spec, (64, 48), 0.8))


def test_most_are_light_studios() -> None:
    rng = np.random.default_rng(1)
    specs = [sample_background(rng) for _ in range(1000)]
    assert 0.8 < np.mean([spec.kind == "studio" for spec in specs]) < 0.9
    assert {spec.kind for spec in specs} == set(KINDS)
    studios = np.array([background(spec, (32, 24)).mean((0, 1)) for spec in specs[:200] if spec.kind == "studio"])
    assert np.median(studios) > 0.85 and studios.min() > 0.5
    assert np.ptp(studios, axis=1).max() < 0.12  # grey, white, cream: no colour


@pytest.mark.parametrize("floor", [None, 0.8, 0.3, -0.2, 1.4])
def test_backgrounds_are_pictures(floor: float | None) -> None:
    for spec in examples(3):
        picture = background(spec, (96, 72), floor)
        assert picture.shape == (96, 72, 3) and picture.dtype == np.float32
        assert np.isfinite(picture).all() and picture.min() >= 0 and picture.max() <= 1


@pytest.mark.parametrize("floor", [None, 0.8])
def test_the_same_picture_at_every_size(floor: float | None) -> None:
    for spec in examples(4):
        small, large = background(spec, (128, 96), floor), background(spec, (1024, 768), floor)
        assert np.abs(small - cv2.resize(large, (96, 128), interpolation=cv2.INTER_AREA)).mean() < 0.006


def test_the_floor_is_below_its_line() -> None:
    spec = BackgroundSpec(colour=(0.9, 0.9, 0.9), floor_colour=(0.5, 0.4, 0.3), bend=0.01, glow=0.0)
    without, with_floor = background(spec, (200, 150)), background(spec, (200, 150), 0.75)
    assert np.array_equal(without[:130], with_floor[:130])
    assert np.abs(with_floor[160:] - (0.5, 0.4, 0.3)).max() < 0.05
    assert np.array_equal(background(spec, (200, 150), 3.0), without)


def test_studios_are_smooth() -> None:
    for spec in examples(5)[:5]:
        picture = background(spec, (256, 192), None)
        assert np.abs(np.diff(picture, axis=0)).max() < 0.01 and np.abs(np.diff(picture, axis=1)).max() < 0.01


@pytest.mark.parametrize("texture", ["plaster", "bricks", "panels", "concrete", "curtain"])
def test_walls_have_their_texture(texture: str) -> None:
    spec = BackgroundSpec("wall", (0.6, 0.6, 0.6), texture=texture, contrast=0.1, glow=0.0)
    picture = background(spec, (256, 192))
    assert 0.005 < picture.std() < 0.1 and abs(picture.mean() - 0.6) < 0.05
