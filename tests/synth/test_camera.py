from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from vto_utils.synth.camera import CameraSpec, expose, sample_camera

PLAIN = CameraSpec(noise=0.0, speckle=0.0, quality=98, subsampling=0)


def ramp(height: int = 96, width: int = 72) -> np.ndarray:
    """Grey from 0 to 1 downwards, with a warm patch."""
    image = np.repeat(np.linspace(0, 1, height, dtype=np.float32)[:, None, None], width, 1).repeat(3, 2)
    image[height // 3 : height // 2, width // 4 : width // 2] = (0.8, 0.5, 0.4)
    return image


def take(spec: CameraSpec, image: np.ndarray, seed: int = 0) -> np.ndarray:
    return expose(spec, np.random.default_rng(seed), image).astype(np.float32) / 255


def test_the_same_numbers_give_the_same_photo_and_json_keeps_the_camera() -> None:
    for seed in range(30):
        spec = sample_camera(np.random.default_rng(seed))
        assert spec == sample_camera(np.random.default_rng(seed))
        assert CameraSpec(**json.loads(json.dumps(dataclasses.asdict(spec)))) == spec
        assert 75 <= spec.quality <= 98
        assert np.array_equal(take(spec, ramp(), seed), take(spec, ramp(), seed))


@pytest.mark.parametrize("size", [(96, 72), (97, 71), (256, 192)])
def test_photos_are_8_bit_pictures(size: tuple[int, int]) -> None:
    for seed in range(12):
        image = ramp(*size)
        before = image.copy()
        rng = np.random.default_rng(seed)
        photo = expose(sample_camera(rng), rng, image)
        assert photo.shape == (*size, 3) and photo.dtype == np.uint8
        assert np.array_equal(image, before)
        assert np.abs(photo.astype(np.float32) / 255 - image).mean() < 0.15  # still that picture


def test_a_plain_camera_changes_nothing() -> None:
    image = ramp()
    photo = take(PLAIN, image)
    grey = image[..., 0] < 0.93  # above, highlights roll off
    assert np.abs(photo - image)[grey].mean() < 0.006
    assert photo[-1].min() > 0.97 and photo[0].max() < 0.03


def test_values_outside_the_range_are_clipped() -> None:
    assert np.array_equal(take(PLAIN, ramp() * 3 - 1), take(PLAIN, np.clip(ramp() * 3 - 1, 0, 1)))


def test_a_stop_doubles_the_light() -> None:
    image = np.full((32, 32, 3), 0.3, np.float32)
    linear = [
        ((take(dataclasses.replace(PLAIN, exposure=stops), image).mean() + 0.055) / 1.055) ** 2.4 for stops in (0, 1)
    ]
    assert linear[1] / linear[0] == pytest.approx(2, rel=0.06)


def test_settings_do_what_they_say() -> None:
    image = ramp()
    plain = take(PLAIN, image)
    warm = take(dataclasses.replace(PLAIN, warmth=0.1), image)
    assert (warm - plain)[40:60, :10, 0].mean() > 0.01 and (warm - plain)[40:60, :10, 2].mean() < -0.01
    assert np.ptp(take(dataclasses.replace(PLAIN, saturation=0.0), image), axis=2).max() < 0.03
    assert take(dataclasses.replace(PLAIN, black=0.1), image).min() > 0.08
    hard = take(dataclasses.replace(PLAIN, contrast=0.4), image)
    assert hard[25, 5, 0] < plain[25, 5, 0] - 0.02 and hard[72, 5, 0] > plain[72, 5, 0] + 0.02
    blurred, sharp = (take(dataclasses.replace(PLAIN, **{name: 5.0}), image) for name in ("blur", "sharpness"))
    steps = [np.abs(np.diff(photo[40], axis=0)).max() for photo in (blurred, plain, sharp)]
    assert steps[0] < steps[1] < steps[2]


def test_noise_has_its_strength() -> None:
    grey = np.full((128, 96, 3), 0.5, np.float32)
    noisy = take(dataclasses.replace(PLAIN, noise=0.03), grey)
    assert noisy[..., 1].std() == pytest.approx(0.03, rel=0.15)
    assert np.ptp(noisy, axis=2).max() < 0.03  # of the brightness, not of the colour
    assert np.ptp(take(dataclasses.replace(PLAIN, speckle=0.02), grey), axis=2).mean() > 0.01
    other = take(dataclasses.replace(PLAIN, noise=0.03), grey, 1)
    assert not np.array_equal(noisy, other)
