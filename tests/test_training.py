from __future__ import annotations

import numpy as np
import pytest
import torch

from vto_utils.errors import InputError
from vto_utils.training import FitConfig, fit_pair

QUICK = FitConfig(steps=3, size=(32, 32), device="cpu")


@pytest.fixture
def pair():
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (64, 48, 3), dtype=np.uint8) for _ in range(2)]


def weights(result):
    return torch.cat([p.detach().flatten() for n in (result.gmm, result.tom) for p in n.parameters()])


def test_loss_falls(pair):
    result = fit_pair(*pair, FitConfig(steps=6, size=(32, 32), device="cpu"))
    assert len(result.losses) == 6
    assert result.losses[-1] < result.losses[0]
    assert not result.interrupted
    assert not result.gmm.training and not result.tom.training


def test_target_is_what_is_learned(pair):
    config = FitConfig(steps=20, step_size=20, size=(32, 32), device="cpu")
    person = np.full((64, 48, 3), 250, np.uint8)
    target = np.full((64, 48, 3), 60, np.uint8)
    shown = []
    fit_pair(person, person, config, [lambda state: shown.append(state.output.mean())], target=target)
    assert abs(shown[-1] - 60 / 255) < abs(shown[0] - 60 / 255) / 2


def test_same_seed_same_result_whatever_was_drawn_before(pair):
    first = fit_pair(*pair, QUICK)
    torch.rand(100)
    second = fit_pair(*pair, QUICK)
    assert first.losses == second.losses
    assert torch.equal(weights(first), weights(second))
    other = fit_pair(*pair, FitConfig(steps=1, size=(32, 32), device="cpu", seed=1))
    assert not torch.equal(weights(first), weights(other))


def test_random_numbers_of_the_caller_are_left_alone(pair):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit_pair(*pair, FitConfig(steps=1, size=(16, 16), device="cpu"))
    assert torch.equal(torch.rand(3), expected)


def test_callbacks_are_told_everything_in_order(pair):
    states, order = [], []
    config = FitConfig(steps=4, size=(32, 24), step_size=2, gamma=0.1, learning_rate=0.01, device="cpu")
    result = fit_pair(*pair, config, [states.append, lambda s: order.append(s.step)])
    assert order == [1, 2, 3, 4]
    assert [s.loss for s in states] == result.losses
    assert [s.learning_rate for s in states] == pytest.approx([0.01, 0.01, 0.001, 0.001])
    assert {s.steps for s in states} == {4}
    assert states[0].gmm is result.gmm and states[0].tom is result.tom
    for picture in (states[0].warped, states[0].output):
        assert picture.shape == (1, 3, 32, 24)
        assert not picture.requires_grad
        assert picture.min() >= 0 and picture.max() <= 1


def test_first_step_starts_from_the_untouched_garment(pair):
    states = []
    fit_pair(pair[0], pair[0], QUICK, [states.append])
    person = fit_pair(pair[0], pair[1], QUICK).losses  # another garment changes the loss
    assert states[0].loss != person[0]
    assert (states[0].warped - states[0].output).abs().max() < 0.13  # same picture twice, hardly repainted


def test_interrupting_keeps_what_was_learned(pair):
    def stop(state):
        if state.step == 2:
            raise KeyboardInterrupt

    stopped = fit_pair(*pair, FitConfig(steps=50, size=(32, 32), device="cpu"), [stop])
    assert stopped.interrupted and len(stopped.losses) == 2
    two = fit_pair(*pair, FitConfig(steps=2, size=(32, 32), device="cpu"))
    assert torch.equal(weights(stopped), weights(two))
    assert not stopped.gmm.training


def test_errors_of_a_callback_are_not_swallowed(pair):
    def broken(state):
        raise RuntimeError("plot failed")

    with pytest.raises(RuntimeError, match="plot failed"):
        fit_pair(*pair, QUICK, [broken])


def test_a_loss_that_is_no_number_is_reported(pair):
    def spoil(state):
        with torch.no_grad():
            state.tom.paint.weight.fill_(torch.nan)

    with pytest.raises(InputError, match="loss is nan at step 2: lower the learning rate"):
        fit_pair(*pair, QUICK, [spoil])


def test_missing_photo_is_named(pair, tmp_path):
    with pytest.raises(InputError, match="nobody.png"):
        fit_pair(tmp_path / "nobody.png", pair[1], QUICK)


@pytest.mark.parametrize(
    "wrong",
    [
        dict(steps=0),
        dict(step_size=0),
        dict(learning_rate=0.0),
        dict(learning_rate=5.0),
        dict(gamma=0.0),
        dict(gamma=1.5),
        dict(size=(256,)),
        dict(size=(256, 8)),
    ],
)
def test_config_refuses(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        FitConfig(**wrong)


def test_unknown_device(pair):
    with pytest.raises(InputError, match="abacus"):
        fit_pair(*pair, FitConfig(device="abacus"))
