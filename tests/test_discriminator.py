from __future__ import annotations

import dataclasses
import json

import pytest
import torch

from vto_utils import losses
from vto_utils.networks.discriminator import DiscriminatorConfig, PatchDiscriminator

SMALL = DiscriminatorConfig(width=4, layers=2)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_one_judgement_for_each_patch_at_each_scale():
    judge = PatchDiscriminator(dataclasses.replace(SMALL, condition_channels=2, scales=3))
    found = judge(torch.rand(2, 3, 64, 48), torch.rand(2, 2, 64, 48))
    assert [tuple(x.shape) for x in found.logits] == [(2, 1, 19, 15), (2, 1, 11, 9), (2, 1, 7, 6)]
    assert [[x.shape[1] for x in scale] for scale in found.features] == [[4, 8, 16]] * 3
    assert all(x.isfinite().all() for x in found.logits)


@pytest.mark.parametrize("scales, most", [(2, 1.5e6), (3, 3e6)])
def test_it_is_small(scales, most):
    config = DiscriminatorConfig(condition_channels=12, scales=scales)
    assert 0.5e6 < sum(p.numel() for p in PatchDiscriminator(config).parameters()) < most


def test_configuration_survives_json():
    config = DiscriminatorConfig(condition_channels=4, scales=3)
    assert DiscriminatorConfig(**json.loads(json.dumps(dataclasses.asdict(config)))) == config


def test_a_patch_sees_so_far_and_no_farther():
    """70 pixels with three layers: a change farther away leaves the logit as it was."""
    judge = PatchDiscriminator(DiscriminatorConfig(width=2, scales=1)).eval()
    image = torch.zeros(1, 3, 160, 16, requires_grad=True)
    logits = judge(image).logits[0]
    (gradient,) = torch.autograd.grad(logits[0, 0, logits.shape[2] // 2, 1], image)
    rows = gradient.abs().sum((0, 1, 3)).nonzero().flatten()
    assert rows.max() - rows.min() + 1 == 70


def test_pictures_do_not_know_each_other():
    judge = PatchDiscriminator(SMALL).eval()
    images = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        together, alone = judge(images), judge(images[1:2])
    for x, y in zip(together.logits, alone.logits, strict=True):
        torch.testing.assert_close(x[1:2], y)


def test_spectral_norms_become_one():
    judge = PatchDiscriminator(SMALL)
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        for _ in range(30):
            judge(image)
    for scale in judge.scales:
        for layer in (*scale.layers, scale.judge):
            assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.02)


def test_one_step_of_the_power_iteration_a_call_and_none_in_evaluation():
    judge = PatchDiscriminator(SMALL)
    vector = judge.scales[0].layers[1].parametrizations.weight[0]._u
    before = vector.clone()
    judge.eval()(torch.rand(1, 3, 32, 32))
    assert torch.equal(vector, before)
    judge.train()(torch.rand(1, 3, 32, 32))
    assert not torch.equal(vector, before)


def test_each_norm_is_found_once_a_call_and_outside_autocast():
    judge, seen = PatchDiscriminator(SMALL), []
    for scale in judge.scales:
        for layer in (*scale.layers, scale.judge):
            norm = layer.parametrizations.weight[0]
            norm.register_forward_hook(lambda module, *_: seen.append((module, torch.is_autocast_enabled("cpu"))))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        judge(torch.rand(1, 3, 32, 32))
    assert len(seen) == len({module for module, _ in seen}) == 2 * 4
    assert not any(inside for _, inside in seen)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_changes_little(dtype):
    first, second = PatchDiscriminator(SMALL), PatchDiscriminator(SMALL)
    second.load_state_dict(first.state_dict())
    image = torch.rand(2, 3, 32, 32)
    exact = first(image)
    with torch.autocast("cpu", dtype=dtype):
        coarse = second(image)
    assert coarse.logits[0].dtype == dtype
    torch.testing.assert_close(coarse.logits[0].float(), exact.logits[0], atol=0.02, rtol=0.02)
    for (name, x), y in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        assert torch.equal(x, y), name  # the power iteration too


def test_checkpoint_goes_on_where_it_was():
    judge, image = PatchDiscriminator(SMALL), torch.rand(1, 3, 32, 32)
    judge(image)
    again = PatchDiscriminator(SMALL)
    again.load_state_dict(judge.state_dict())
    torch.testing.assert_close(again(image).logits, judge(image).logits)


@pytest.mark.parametrize("form", ["hinge", "least-squares"])
def test_it_learns_to_tell_and_guides_the_generator(form):
    """Photos are flat, try-ons striped; trained, it says so, and its gradient takes the stripes away."""
    judge = PatchDiscriminator(dataclasses.replace(SMALL, scales=1, condition_channels=1))
    optimizer = torch.optim.Adam(judge.parameters(), 1e-2, betas=(0.0, 0.9))
    condition = torch.rand(4, 1, 16, 16)
    real = torch.rand(4, 3, 1, 1).expand(-1, -1, 16, 16)
    stripes = torch.tensor([-0.5, 0.5]).repeat(8)
    fake = (real + stripes).requires_grad_()
    values = []
    for _ in range(40):
        loss = losses.discriminator_loss(judge(real, condition).logits, judge(fake.detach(), condition).logits, form)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[-1] < 0.5 * values[0]
    judge.eval().requires_grad_(False)
    told = judge(real, condition)
    assert losses.generator_loss(judge(fake, condition).logits, form) > losses.generator_loss(told.logits, form)
    loss = losses.generator_loss(judge(fake, condition).logits, form)
    loss = loss + losses.feature_matching_loss(told.features, judge(fake, condition).features)
    loss.backward()
    # A step against the gradient is a step against the stripes.
    assert (fake.grad * stripes).mean() > 0


def test_channels_last_changes_nothing():
    judge = PatchDiscriminator(SMALL).eval()
    image = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        expected, found = judge(image), judge(image.to(memory_format=torch.channels_last))
    torch.testing.assert_close(found.logits, expected.logits)


def test_errors():
    judge = PatchDiscriminator(dataclasses.replace(SMALL, condition_channels=2))
    image = torch.zeros(1, 3, 32, 32)
    with pytest.raises(ValueError, match="condition is missing: this discriminator takes 2 channels"):
        judge(image)
    with pytest.raises(ValueError, match=r"takes condition as \[B, 2, H, W\]"):
        judge(image, image)
    with pytest.raises(ValueError, match="must have one size"):
        judge(image, torch.zeros(1, 2, 16, 32))
    with pytest.raises(ValueError, match=r"takes image as \[B, 3, H, W\]"):
        judge(image[:, :1], torch.zeros(1, 2, 32, 32))
    with pytest.raises(ValueError, match="condition is given"):
        PatchDiscriminator(SMALL)(image, image)
    with pytest.raises(ValueError, match="8 pixels or more"):
        PatchDiscriminator(SMALL)(torch.zeros(1, 3, 6, 32))
    for wrong in (dict(scales=0), dict(width=0), dict(layers=0), dict(condition_channels=-1)):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            DiscriminatorConfig(**wrong)
