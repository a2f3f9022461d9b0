from __future__ import annotations

import dataclasses
import json

import pytest
import torch
import torch.nn.functional as F

from vto_utils import networks
from vto_utils.networks import GMM, GMMConfig, SynthesizerConfig, TryOnSynthesizer, layers
from vto_utils.tps import control_grid, tps_grid

SMALL_GMM = dict(widths=(8, 16, 16, 32), depths=(0, 1, 1, 1), trunk=1, features=16, radii=(1, 2, 1))
SMALL_TOM = dict(widths=(8, 16, 16), depths=(0, 1, 1))
SEED_GMM = GMMConfig(**SMALL_GMM)
PRODUCT_GMM = dataclasses.replace(GMMConfig.product(), **SMALL_GMM)
SEED_TOM = SynthesizerConfig(**SMALL_TOM)
PRODUCT_TOM = dataclasses.replace(SynthesizerConfig.product(), **SMALL_TOM)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def photos(batch=1, size=(64, 48), channels=3):
    """Smooth random pictures in [0, 1]."""
    return F.interpolate(torch.rand(batch, channels, 6, 5), size=size, mode="bicubic").clamp(0, 1)


def awaken(model, scale=0.05):
    """Give the zero layers weights, so that everything takes part."""
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=scale)
    return model


def shift_flow(size, dx, dy):
    """A flow that reads dx pixels to the right and dy below."""
    step = torch.tensor([2 * dx / size[1], 2 * dy / size[0]]).view(1, 2, 1, 1)
    return networks.identity_flow(torch.zeros(size)) + step


# Geometry of flows


def test_sample_reads_where_the_flow_points():
    image = torch.rand(1, 3, 8, 6)
    moved = networks.sample(image, shift_flow((8, 6), 2, 1))
    torch.testing.assert_close(moved[..., :7, :4], image[..., 1:, 2:])
    torch.testing.assert_close(moved[..., 7, 5], image[..., 7, 5])  # beyond the edge: the edge
    outside = networks.sample(image, shift_flow((8, 6), 2, 1), padding="zeros")
    assert outside[..., 7, 5].abs().max() < 1e-6


def test_resized_flow_means_the_same():
    torch.testing.assert_close(
        networks.resize_flow(networks.identity_flow(torch.zeros(16, 12)), (64, 40)),
        networks.identity_flow(torch.zeros(64, 40)),
    )
    torch.testing.assert_close(networks.resize_flow(shift_flow((16, 12), 2, -1), (64, 48)), shift_flow((64, 48), 8, -4))


def test_composed_shifts_add():
    size, zero = (10, 8), networks.identity_flow(torch.zeros(10, 8))
    first, second = shift_flow(size, 3, 1) - zero, shift_flow(size, -1, 2) - zero
    torch.testing.assert_close(layers.compose(first, second), shift_flow(size, 2, 3) - zero)


def test_composition_reads_the_flow_at_the_step():
    """flow'(p) = flow(p + step) for a flow that is a scaling, flow(p) = 2 p, and a constant step."""
    identity = networks.identity_flow(torch.zeros(16, 16))
    step = torch.full_like(identity, 2 / 16)
    composed = layers.compose(identity.clone(), step) + identity
    torch.testing.assert_close(composed[..., :-1, :-1], (2 * (identity + step))[..., :-1, :-1])


def test_local_correlation_matches_its_definition():
    a, b = torch.randn(2, 3, 5, 4), torch.randn(2, 3, 5, 4)
    found = layers.local_correlation(a, b, radius=1)
    slow = torch.zeros(2, 9, 5, 4)
    for k, (dy, dx) in enumerate((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)):
        for y in range(5):
            for x in range(4):
                if 0 <= y + dy < 5 and 0 <= x + dx < 4:
                    slow[:, k, y, x] = (a[:, :, y, x] * b[:, :, y + dy, x + dx]).mean(1)
    torch.testing.assert_close(found, slow)


# GMM


@pytest.mark.parametrize("size", [(64, 48), (50, 37), (16, 16), (5, 3)])
def test_new_gmm_is_the_identity_at_any_size(size):
    person, cloth = photos(2, size), photos(2, size)
    warped = GMM(SEED_GMM)(person, cloth)
    torch.testing.assert_close(warped, cloth, atol=1e-5, rtol=0)


def test_default_networks_take_the_seeds_photos():
    person, cloth = photos(size=(256, 192)), photos(size=(256, 192))
    with torch.inference_mode():
        warped = GMM()(person, cloth)
        output = TryOnSynthesizer()(person, warped)
    assert warped.shape == output.shape == (1, 3, 256, 192)
    assert warped.min() >= 0 and warped.max() <= 1
    assert output.min() >= 0 and output.max() <= 1


def test_product_networks_fit_the_budget():
    models = GMM(GMMConfig.product()), TryOnSynthesizer(SynthesizerConfig.product())
    assert sum(p.numel() for m in models for p in m.parameters()) <= 15e6


def test_gmm_tells_everything():
    person, garment = photos(2, (64, 48), 45), photos(2, (64, 48), 4)
    garment[:, 3], person[:, 12] = 1, 1  # both close-ups show the same part of their pictures
    found = GMM(PRODUCT_GMM).warp(person, garment)
    identity = networks.identity_flow(person).expand(2, -1, -1, -1)
    torch.testing.assert_close(found.flow, identity)
    torch.testing.assert_close(found.coarse_flow, identity)
    torch.testing.assert_close(found.warped, garment, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.theta, control_grid(5, 5).expand(2, -1, -1) / 0.92)
    assert found.layout.shape == (2, len(networks.LAYOUT), 64, 48)
    assert [tuple(f.shape) for f in found.flows] == [(2, 2, 64, 48)] * 4
    assert [tuple(d.shape[2:]) for d in found.displacements] == [(8, 6), (4, 3), (8, 6), (16, 12)]


def test_new_gmm_lays_the_garment_where_it_may_be_painted():
    person, garment = torch.zeros(1, 45, 64, 48), torch.zeros(1, 4, 64, 48)
    person[:, 12, 16:48, 18:42] = 1  # 32 x 24, its middle at (30, 32)
    garment[:, 3, 0:16, 12:24] = 1  # half as large
    found = GMM(PRODUCT_GMM).warp(person, garment)
    torch.testing.assert_close(found.warped[:, 3:].round(), person[:, 12:13])  # read between pixels at its edges


def test_warped_is_the_garment_read_at_the_flow():
    person, garment = photos(1, (32, 32), 45), photos(1, (40, 30), 4)  # sizes may differ
    found = awaken(GMM(PRODUCT_GMM), 0.3).warp(person, garment)
    assert (found.flow - networks.identity_flow(person)).abs().max() > 0.01
    grid = found.flow.permute(0, 2, 3, 1)
    colours = F.grid_sample(garment[:, :3], grid, padding_mode="border", align_corners=False)
    mask = F.grid_sample(garment[:, 3:], grid, padding_mode="zeros", align_corners=False)
    torch.testing.assert_close(found.warped, torch.cat([colours, mask], 1))


def test_coarse_flow_is_the_spline_through_theta():
    model = GMM(SEED_GMM)
    awaken(model.spline.offsets, 0.3)
    person, cloth = photos(2), photos(2)
    found = model.warp(person, cloth)
    controls = control_grid(5, 5)
    assert (found.theta - controls).abs().max() > 0.01
    expected = tps_grid(found.theta, controls, (8, 6)).permute(0, 3, 1, 2)
    places = found.displacements[0] + networks.identity_flow(expected)
    torch.testing.assert_close(places, expected, atol=1e-5, rtol=0)


def test_offsets_are_limited():
    model = GMM(dataclasses.replace(SEED_GMM, offset_limit=0.25))
    torch.nn.init.constant_(model.spline.offsets.bias, 100.0)
    found = model.warp(photos(), photos())
    torch.testing.assert_close(found.theta, control_grid(5, 5) + 0.25)
    torch.testing.assert_close(found.flow, networks.identity_flow(found.flow) + 0.25)


def test_gmm_learns_a_warp():
    person, cloth = photos(1, (32, 32)), photos(1, (32, 32))
    target = networks.sample(cloth, shift_flow((32, 32), 4, -3))
    model = GMM(SEED_GMM)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    losses = []
    for _ in range(25):
        loss = F.l1_loss(model(person, cloth), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def gradients_reach_everything(model, loss):
    loss.backward()
    return [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]


def test_every_weight_of_gmm_matters():
    model = awaken(GMM(PRODUCT_GMM))
    found = model.warp(photos(1, channels=45), photos(1, channels=4))
    loss = found.warped.square().mean() + found.layout[:, 1].mean()
    assert gradients_reach_everything(model, loss) == []


def test_spline_gradient_flows_from_the_start():
    model = GMM(SEED_GMM)
    F.l1_loss(model(photos(), photos()), photos()).backward()
    for head in (model.spline.offsets, model.spline.overall, model.step_16.step, model.step_8.step, model.step_4.step):
        assert head.weight.grad.abs().max() > 0


# TryOnSynthesizer


@pytest.mark.parametrize("size", [(64, 48), (50, 37), (3, 5)])
def test_new_synthesizer_shows_person_and_garment(size):
    person, warped = photos(2, size), photos(2, size)
    made = TryOnSynthesizer(SEED_TOM).synthesize(person, warped)
    assert made.image.shape == (2, 3, *size)
    assert (made.render - person).abs().max() < 0.13  # little is repainted
    assert torch.equal(made.shading, torch.ones(2, 1, *size))
    torch.testing.assert_close(made.image, (made.render + warped) / 2)


def test_new_product_synthesizer_pastes_the_garment_inside_its_mask():
    person, warped = photos(1) * 2 - 1, photos(1) * 2 - 1
    mask = torch.zeros(1, 1, 64, 48)
    mask[..., 16:40, 10:30] = 1
    layout, pose = photos(1, channels=7), photos(1, channels=18)
    made = TryOnSynthesizer(PRODUCT_TOM).synthesize(person, warped, mask, layout, pose)
    inside = mask.expand(-1, 3, -1, -1) == 1
    assert torch.equal(made.image[~inside], made.render[~inside])
    assert (made.image - warped)[inside].abs().mean() < 0.3 * (made.render - warped)[inside].abs().mean()


def test_output_stays_in_range_whatever_the_weights():
    model = TryOnSynthesizer(PRODUCT_TOM)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=2.0)
    inputs = [photos() * 2 - 1, photos() * 2 - 1]
    inputs += [photos(channels=1), photos(channels=7), photos(channels=18)]
    made = model.synthesize(*inputs)
    for picture in (made.image, made.render):
        assert picture.min() >= -1 and picture.max() <= 1
    assert made.mask.min() >= 0 and (made.mask <= inputs[2]).all()
    assert made.shading.min() >= 0.5 and made.shading.max() <= 1.5


@pytest.mark.parametrize("darkest", [0.0, -1.0])
def test_compose_is_its_formula(darkest):
    warped, render = (photos() * (1 - darkest) + darkest for _ in range(2))
    one = torch.ones(1, 1, 64, 48)
    torch.testing.assert_close(networks.compose(warped, render, one, one, darkest), warped)
    torch.testing.assert_close(networks.compose(warped, render, 0 * one, one, darkest), render)
    black = networks.compose(warped, render, one, 0 * one, darkest)
    torch.testing.assert_close(black, torch.full_like(black, darkest))
    halved = networks.compose(warped, render, one, 0.5 * one, darkest)
    torch.testing.assert_close(halved - darkest, (warped - darkest) / 2)
    assert networks.compose(warped, render, one, 1.5 * one, darkest).max() == 1


def test_composition_at_another_size_uses_the_same_answers():
    """Answers of the small image, enlarged, compose the large one."""
    person, warped = photos(), photos()
    made = TryOnSynthesizer(SEED_TOM).synthesize(person, warped)
    big = [layers.resize(x, (128, 96)) for x in (warped, made.render, made.mask, made.shading)]
    expected = layers.resize(made.image, (128, 96))
    torch.testing.assert_close(networks.compose(*big), expected, atol=1e-5, rtol=0)


def test_every_weight_of_the_synthesizer_matters():
    model = awaken(TryOnSynthesizer(PRODUCT_TOM))
    inputs = [photos(channels=c) for c in (3, 3, 1, 7, 18)]
    assert gradients_reach_everything(model, model(*inputs).square().mean()) == []


# Both


@pytest.mark.parametrize("kind", ["gmm", "tom"])
def test_a_sample_does_not_depend_on_its_batch_or_the_mode(kind):
    model = awaken(GMM(SEED_GMM) if kind == "gmm" else TryOnSynthesizer(SEED_TOM))
    a, b = photos(2), photos(2)
    with torch.no_grad():
        together = model.train()(a, b)
        alone = torch.cat([model.eval()(a[i : i + 1], b[i : i + 1]) for i in range(2)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_seed_decides_the_weights():
    first = []
    for _ in range(2):
        torch.manual_seed(7)
        first.append(torch.cat([p.flatten() for p in GMM(SEED_GMM).parameters()]))
    assert torch.equal(*first)


def test_autocast_keeps_positions_in_float32():
    person, garment = photos(1, channels=45), photos(1, channels=4)
    gmm, tom = awaken(GMM(PRODUCT_GMM)), awaken(TryOnSynthesizer(PRODUCT_TOM))
    with torch.no_grad():
        exact = gmm.warp(person, garment)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = gmm.warp(person, garment)
            layout = found.layout.softmax(1)
            image = tom(person[:, :3], found.warped[:, :3], found.warped[:, 3:], layout, person[:, 14:32])
    assert {found.flow.dtype, found.coarse_flow.dtype, found.theta.dtype} == {torch.float32}
    torch.testing.assert_close(found.flow, exact.flow, atol=0.02, rtol=0)
    assert torch.isfinite(image).all()


def test_state_dict_holds_weights_only():
    names = set(GMM(SEED_GMM).state_dict())
    assert names == {name for name, _ in GMM(SEED_GMM).named_parameters()}


@pytest.mark.parametrize("config", [SEED_GMM, PRODUCT_GMM, SEED_TOM, PRODUCT_TOM])
def test_config_survives_json(config):
    restored = type(config)(**json.loads(json.dumps(dataclasses.asdict(config))))
    assert restored == config and hash(restored) == hash(config)


@pytest.mark.parametrize(
    "wrong",
    [
        dict(person_channels=0),
        dict(garment_channels=5),
        dict(widths=(32, 64, 128)),
        dict(widths=(32, 64, 128, 250)),
        dict(radii=(3, 2)),
        dict(trunk=-1),
        dict(closeups=True),
        dict(control_points=(1, 5)),
        dict(offset_limit=0.0),
        dict(depths=(0, 1, 1, -1)),
    ],
)
def test_gmm_config_refuses(wrong):
    with pytest.raises(ValueError, match=r"[Mm]ust|is|have"):
        GMMConfig(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        dict(mask_channels=2),
        dict(layout_classes=-1),
        dict(widths=(16,), depths=(1,)),
        dict(widths=(16, 32, 50), depths=(0, 1, 1)),
        dict(widths=(16, 32), depths=(0, -1)),
        dict(darkest=0.5),
        dict(shading_limit=1.0),
    ],
)
def test_synthesizer_config_refuses(wrong):
    with pytest.raises(ValueError, match=r"[Mm]ust|is|need"):
        SynthesizerConfig(**wrong)


def test_wrong_channels_are_named():
    with pytest.raises(ValueError, match=r"GMM takes person as \[B, 3, H, W\], got \[1, 4, 64, 48\]"):
        GMM(SEED_GMM)(photos(channels=4), photos())
    with pytest.raises(ValueError, match=r"GMM takes garment as \[B, 4, H, W\]"):
        GMM(PRODUCT_GMM)(photos(channels=45), photos())
    with pytest.raises(ValueError, match=r"TryOnSynthesizer takes warped as \[B, 3, H, W\]"):
        TryOnSynthesizer(SEED_TOM)(photos(), photos(channels=4))


def test_missing_and_unwanted_inputs_are_named():
    with pytest.raises(ValueError, match="mask is missing"):
        TryOnSynthesizer(PRODUCT_TOM)(photos(), photos())
    with pytest.raises(ValueError, match="pose is given"):
        TryOnSynthesizer(SEED_TOM)(photos(), photos(), pose=photos(channels=18))


def test_layout_classes_agree():
    assert GMMConfig.product().layout_classes == SynthesizerConfig.product().layout_classes
    assert GMMConfig.product().layout_classes == len(networks.LAYOUT)
