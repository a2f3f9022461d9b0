import numpy as np
import pytest

from vto_utils.synth.noise import Field


@pytest.fixture(scope="module")
def field():
    return Field(np.random.default_rng(3))


def test_it_repeats_itself_in_both_directions(field):
    rng = np.random.default_rng(0)
    # sixteenths are exact in float32 and on every grid that cv2 rounds places to
    u, v = rng.integers(0, 16 * Field.SIZE, (2, 50)) / 16
    start = field(u, v)
    for move in ((Field.SIZE, 0), (0, Field.SIZE), (-Field.SIZE, 3 * Field.SIZE)):
        np.testing.assert_allclose(field(u + move[0], v + move[1]), start, atol=1e-5)


def test_its_whole_numbers_are_standard_normal_and_unrelated(field):
    u, v = np.meshgrid(np.arange(Field.SIZE), np.arange(Field.SIZE))
    values = field(u, v)
    assert abs(values.mean()) < 0.05 and abs(values.std() - 1) < 0.05
    assert abs(np.corrcoef(values[:, :-1].ravel(), values[:, 1:].ravel())[0, 1]) < 0.05
    assert abs(np.mean(np.abs(values) < 1) - 0.683) < 0.02


def test_it_is_continuous_across_the_seam_too(field):
    u = np.linspace(-2, 2, 16 * 4 + 1)
    for v in (0.0, 31.5, Field.SIZE - 0.5):
        steps = np.abs(np.diff(field(u, np.full_like(u, v))))
        assert steps.max() < 0.5  # white noise sampled as densely would jump by several
        assert steps.max() > 0


def test_a_smaller_step_changes_less(field):
    rng = np.random.default_rng(1)
    u, v = rng.uniform(0, Field.SIZE, (2, 2000))
    start = field(u, v)
    change = [np.abs(field(u + step, v) - start).mean() for step in (1.0, 0.25, 0.0625)]
    assert change[1] < 0.45 * change[0] and change[2] < 0.45 * change[1]


@pytest.mark.parametrize("shape", [(7,), (5, 9), (40_000,), (33_000, 2)])
def test_the_shape_is_kept_and_long_columns_are_right(field, shape):
    rng = np.random.default_rng(2)
    u, v = rng.uniform(0, Field.SIZE, (2, *shape))
    values = field(u, v)
    assert values.shape == shape and values.dtype == np.float32
    last = tuple(n - 1 for n in shape)
    np.testing.assert_allclose(values[last], field(u[last].reshape(1), v[last].reshape(1))[0], atol=1e-5)


def test_other_numbers_give_another_field(field):
    u, v = np.random.default_rng(4).uniform(0, 100, (2, 200))
    other = Field(np.random.default_rng(5))(u, v)
    assert abs(np.corrcoef(field(u, v), other)[0, 1]) < 0.3
    np.testing.assert_array_equal(field(u, v), Field(np.random.default_rng(3))(u, v))
