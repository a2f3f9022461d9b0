from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from vto_utils import losses
from vto_utils.losses.grid import as_grid
from vto_utils.networks import GMM, LAYOUT, GMMConfig, identity_flow, resize_flow
from vto_utils.tps import control_grid, pixel_centres

# What each loss takes: a function of the seed's random tensors, for the tests all losses share.
B, H, W = 3, 5, 4


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def double(*shape, gradient=True):
    return torch.rand(*shape, dtype=torch.float64, requires_grad=gradient)


def mask(*shape):
    """A soft mask that is 0 in some places."""
    m = torch.rand(*shape, dtype=torch.float64)
    return m * (m > 0.4)


def affine_flow(matrix, shift, size=(6, 5)):
    flow = pixel_centres(size, dtype=torch.float64).permute(0, 3, 1, 2)
    matrix, shift = torch.tensor(matrix).double(), torch.tensor(shift).double()
    return torch.einsum("ij,bjhw->bihw", matrix, flow) + shift.view(1, 2, 1, 1)


def pictures(function, channels=2, **options):
    def call(x, y, m):
        return function(x, y, m, **options)

    return call, channels


WITH_MASK = {
    "l1": pictures(losses.l1_loss, 3),
    "charbonnier": pictures(losses.charbonnier_loss, 3, epsilon=0.1),
    "total variation": pictures(lambda x, y, m: losses.total_variation(x, m), 3),
    "mask, dice": pictures(losses.mask_loss),
    "mask, iou": pictures(losses.mask_loss, form="iou"),
    "flow, endpoint": pictures(losses.flow_loss),
    "flow, l1": pictures(losses.flow_loss, form="l1"),
    "flow, robust": pictures(losses.flow_loss, form="robust"),
    "levels": pictures(lambda x, y, m: losses.multi_level_flow_loss([x, x], y, m)),
    "second order": pictures(lambda x, y, m: losses.second_order_smoothness(x, m, epsilon=0.1)),
    "flow variation": pictures(lambda x, y, m: losses.flow_total_variation(x, m)),
}
each_masked = pytest.mark.parametrize("name", WITH_MASK)


@each_masked
def test_gradient_is_the_slope(name):
    function, channels = WITH_MASK[name]
    y, m = double(2, channels, 4, 3, gradient=False), mask(2, 1, 4, 3)
    x = double(2, channels, 4, 3)
    assert gradcheck(lambda x: function(x, y, m), x)
    assert gradcheck(lambda x: function(x, y, None), x)


@each_masked
def test_masked_pixels_cost_nothing_and_have_no_gradient(name):
    function, channels = WITH_MASK[name]
    y, m = double(2, channels, 6, 6, gradient=False), torch.ones(2, 1, 6, 6, dtype=torch.float64)
    m[0, :, 2:4, 1:3] = 0
    off = (m == 0).expand_as(y)
    x = double(2, channels, 6, 6)
    loss = function(x, y, m)
    (gradient,) = torch.autograd.grad(loss, x)
    assert (gradient[off] == 0).all() and gradient.isfinite().all() and gradient.any()
    # Whatever stands there, NaN too.
    for value in (7.0, math.nan):
        torch.testing.assert_close(function(x.masked_fill(off, value), y.masked_fill(off, value), m), loss)


@each_masked
def test_an_empty_mask_costs_nothing(name):
    function, channels = WITH_MASK[name]
    x = double(2, channels, 4, 4)
    loss = function(x, double(2, channels, 4, 4), torch.zeros(2, 1, 4, 4))
    (gradient,) = torch.autograd.grad(loss, x)
    assert loss == 0 and not gradient.any()


@each_masked
def test_order_of_the_batch_does_not_matter(name):
    function, channels = WITH_MASK[name]
    x, y, m = double(B, channels, H, W), double(B, channels, H, W), mask(B, 1, H, W)
    torch.testing.assert_close(function(x, y, m), function(*(t.flip(0) for t in (x, y, m))))


@each_masked
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_float32_inside_autocast_and_for_half_inputs(name, dtype):
    function, channels = WITH_MASK[name]
    x, y, m = (t.detach().to(dtype) for t in (double(B, channels, H, W), double(B, channels, H, W), mask(B, 1, H, W)))
    expected = function(x.float(), y.float(), m.float())
    with torch.autocast("cpu", dtype=dtype):
        found = function(x, y, m)
    assert found.dtype == expected.dtype == torch.float32
    torch.testing.assert_close(found, expected)
    assert function(double(B, channels, H, W), double(B, channels, H, W), None).dtype == torch.float64


@each_masked
def test_a_mask_of_another_shape_is_told(name):
    function, channels = WITH_MASK[name]
    x, y = double(B, channels, H, W), double(B, channels, H, W)
    with pytest.raises(ValueError, match=r"must be \[3, 1, 5, 4\], got \[1, 1, 5, 4\]"):
        function(x, y, torch.ones(1, 1, H, W))


# Pictures


def test_l1_and_charbonnier_are_their_formulas():
    x, y, m = double(2, 3, 4, 3), double(2, 3, 4, 3), mask(2, 1, 4, 3)
    a, b, w = (t.detach().numpy() for t in (x, y, m))
    total, smooth, weight = 0.0, 0.0, 0.0
    for n, c, i, j in np.ndindex(a.shape):
        d = a[n, c, i, j] - b[n, c, i, j]
        total += w[n, 0, i, j] * abs(d)
        smooth += w[n, 0, i, j] * (math.sqrt(d * d + 0.01) - 0.1)
        weight += w[n, 0, i, j]
    assert losses.l1_loss(x, y, m).item() == pytest.approx(total / weight)
    assert losses.charbonnier_loss(x, y, m, epsilon=0.1).item() == pytest.approx(smooth / weight)
    torch.testing.assert_close(losses.l1_loss(x, y), (x - y).abs().mean())
    assert losses.charbonnier_loss(x, x) == losses.l1_loss(x, x) == 0


def test_total_variation_by_hand():
    assert losses.total_variation(torch.full((2, 3, 4, 5), 0.7)) == 0
    ramp = torch.arange(5.0).expand(1, 1, 3, 5)
    assert losses.total_variation(ramp) == 1
    stairs = ramp + 10 * torch.arange(3.0)[:, None]
    assert losses.total_variation(stairs) == 11
    # The masked column cuts the only step away.
    edge = torch.tensor([0.0, 0, 1, 1]).expand(1, 1, 2, 4)
    keep = torch.tensor([1.0, 1, 0, 1]).expand(1, 1, 2, 4)
    assert losses.total_variation(edge) == pytest.approx(1 / 3) and losses.total_variation(edge, keep) == 0
    with pytest.raises(ValueError, match="2x2"):
        losses.total_variation(torch.zeros(1, 1, 1, 4))


@pytest.mark.parametrize("function", [losses.l1_loss, losses.charbonnier_loss, losses.mask_loss, losses.flow_loss])
def test_shapes_that_differ_are_told(function):
    with pytest.raises(ValueError, match=r"\[1, 2, 4, 4\] and its target \[1, 2, 4, 5\] must have one shape"):
        function(torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 5))
    with pytest.raises(ValueError, match=r"must be \[B, C, H, W\]"):
        function(torch.zeros(2, 4, 4), torch.zeros(2, 4, 4))


# Masks and layout


def overlap_by_hand(p, t, w, form):
    costs = []
    for c in range(p.shape[1]):
        both = sum(p[n, c, i, j] * t[n, c, i, j] * w[n, 0, i, j] ** 2 for n, _, i, j in np.ndindex(w.shape))
        size_p = sum(p[n, c, i, j] * w[n, 0, i, j] for n, _, i, j in np.ndindex(w.shape))
        size_t = sum(t[n, c, i, j] * w[n, 0, i, j] for n, _, i, j in np.ndindex(w.shape))
        if size_t > 0:
            costs.append(1 - (2 * both / (size_p + size_t) if form == "dice" else both / (size_p + size_t - both)))
    return sum(costs) / len(costs)


@pytest.mark.parametrize("form", ["dice", "iou"])
def test_mask_loss_is_its_formula(form):
    logits, w = torch.randn(2, 2, 4, 3, dtype=torch.float64), (torch.rand(2, 1, 4, 3) > 0.3).double()
    truth = (torch.rand(2, 2, 4, 3) > 0.5).double()
    p, t, v = torch.sigmoid(logits).numpy(), truth.numpy(), w.numpy()
    entropy = -(t * np.log(p) + (1 - t) * np.log(1 - p)) * v
    entropy = entropy.sum() / (2 * v.sum())
    assert losses.mask_loss(logits, truth, w, overlap=0).item() == pytest.approx(entropy)
    expected = entropy + 0.5 * overlap_by_hand(p, t, v, form)
    assert losses.mask_loss(logits, truth, w, overlap=0.5, form=form).item() == pytest.approx(expected)


@pytest.mark.parametrize("form", ["dice", "iou"])
def test_overlap_by_hand(form):
    truth = torch.tensor([1.0, 1, 0, 0]).view(1, 1, 2, 2)
    assert losses.soft_overlap_loss(truth, truth, form=form) == 0
    assert losses.soft_overlap_loss(1 - truth, truth, form=form) == 1
    half = torch.tensor([1.0, 0, 1, 0]).view(1, 1, 2, 2)  # 1 in common of 2 and 2
    expected = 0.5 if form == "dice" else 2 / 3
    assert losses.soft_overlap_loss(half, truth, form=form).item() == pytest.approx(expected)
    # A channel without truth counts nowhere; without any the loss is 0, and still has a gradient to go back on.
    both = losses.soft_overlap_loss(torch.cat([half, half], 1), torch.cat([truth, 0 * truth], 1), form=form)
    assert both.item() == pytest.approx(expected)
    chances = half.clone().requires_grad_()
    empty = losses.soft_overlap_loss(chances, 0 * truth, form=form)
    empty.backward()
    assert empty == 0 and not chances.grad.any()


@pytest.mark.parametrize("weights", [None, [1.0, 3.0, 0.5]])
def test_layout_loss_is_its_formula(weights):
    logits = torch.randn(2, 3, 4, 3, dtype=torch.float64)
    target = torch.randint(0, 2, (2, 4, 3))  # the last class is absent
    target[0, 1:3] = 255
    p, t = logits.softmax(1).numpy(), target.numpy()
    total = weight = 0.0
    truth, known = np.zeros(p.shape), np.zeros((2, 1, 4, 3))
    for n, i, j in np.ndindex(t.shape):
        if t[n, i, j] != 255:
            w = weights[t[n, i, j]] if weights else 1.0
            total -= w * math.log(p[n, t[n, i, j], i, j])
            weight += w
            truth[n, t[n, i, j], i, j] = known[n, 0, i, j] = 1
    given = None if weights is None else torch.tensor(weights)
    assert losses.layout_loss(logits, target, given, overlap=0).item() == pytest.approx(total / weight)
    expected = total / weight + 0.5 * overlap_by_hand(p, truth, known, "dice")
    assert losses.layout_loss(logits, target.byte(), given, overlap=0.5).item() == pytest.approx(expected)


def test_layout_gradient_and_ignored_pixels():
    target = torch.randint(0, 3, (2, 4, 3))
    target[1, 2] = 255
    logits = torch.randn(2, 3, 4, 3, dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([1.0, 2.0, 0.5])
    assert gradcheck(lambda x: losses.layout_loss(x, target, weights), logits)
    assert gradcheck(lambda x: losses.layout_loss(x, target, weights, form="iou"), logits)
    loss = losses.layout_loss(logits, target, weights)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert not gradient[1, :, 2].any() and gradient[0].all()
    wild = logits.detach().clone()
    wild[1, :, 2] = math.nan
    torch.testing.assert_close(losses.layout_loss(wild, target, weights), loss.detach())
    flipped = losses.layout_loss(logits.flip(0), target.flip(0), weights)
    torch.testing.assert_close(flipped, loss)
    nothing = losses.layout_loss(logits, torch.full_like(target, 255), weights)
    (gradient,) = torch.autograd.grad(nothing, logits)
    assert nothing == 0 and not gradient.any()


def test_a_sure_and_right_layout_costs_nothing():
    target = torch.randint(0, 3, (2, 4, 3))
    logits = 50 * torch.nn.functional.one_hot(target, 3).movedim(-1, 1).to(torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = losses.layout_loss(logits, target)
    assert loss.dtype == torch.float32 and 0 <= loss < 1e-6


def test_layout_shapes_are_told():
    logits, target = torch.zeros(1, 3, 4, 4), torch.zeros(1, 4, 4, dtype=torch.long)
    with pytest.raises(ValueError, match=r"integers, \[1, 4, 4\], got torch.int64 \[1, 1, 4, 4\]"):
        losses.layout_loss(logits, target[:, None])
    with pytest.raises(ValueError, match="integers"):
        losses.layout_loss(logits, target.float())
    with pytest.raises(ValueError, match=r"class_weights must be \[3\], got \[2\]"):
        losses.layout_loss(logits, target, torch.ones(2))
    with pytest.raises(ValueError, match="'tversky': choose one of dice, iou"):
        losses.layout_loss(logits, target, form="tversky")


# Flow


@pytest.mark.parametrize("form", ["endpoint", "l1", "robust"])
def test_flow_loss_is_its_formula(form):
    x, y, m = double(2, 2, 4, 3), double(2, 2, 4, 3), mask(2, 1, 4, 3)
    d, w = (x - y).detach().numpy(), m.numpy()
    total = 0.0
    for n, _, i, j in np.ndindex(w.shape):
        dx, dy = d[n, 0, i, j] * 48 / 2, d[n, 1, i, j] * 64 / 2
        cost = {
            "endpoint": math.sqrt(dx**2 + dy**2 + 1e-4) - 1e-2,
            "l1": abs(dx) + abs(dy),
            "robust": (dx**2 + dy**2 + 1e-4) ** 0.45 - 1e-4**0.45,
        }[form]
        total += w[n, 0, i, j] * cost
    found = losses.flow_loss(x, y, m, form=form, reference=(64, 48))
    assert found.item() == pytest.approx(total / w.sum())
    assert losses.flow_loss(y, y, m, form=form) == 0


def test_flow_loss_counts_pixels_of_the_reference():
    flow = identity_flow(torch.zeros(8, 6))
    step = torch.tensor([2 * 3 / 192, 2 * 4 / 256]).view(1, 2, 1, 1)  # 3 to the right, 4 down, at 256x192
    assert losses.flow_loss(flow + step, flow).item() == pytest.approx(5, abs=0.02)
    assert losses.flow_loss(flow + step, flow, form="l1").item() == pytest.approx(7, rel=1e-5)
    unit = losses.flow_loss(flow + step, flow, form="l1", reference=(2, 2))
    assert unit.item() == pytest.approx(float(step.sum()), rel=1e-5)
    with pytest.raises(ValueError, match="'l3' of the flow loss: choose one of endpoint, l1, robust"):
        losses.flow_loss(flow, flow, form="l3")
    with pytest.raises(ValueError, match=r"\[B, 2, H, W\]"):
        losses.flow_loss(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4))


def test_levels_are_compared_at_the_size_of_the_target():
    target = affine_flow([[0.9, 0.1], [0.0, 1.1]], [0.05, -0.1], (8, 6)).float()
    near, far = target + 0.01, target + 0.1
    flows = [resize_flow(far, (4, 3)), near]
    single = [losses.flow_loss(resize_flow(f, (8, 6)), target) for f in flows]
    found = losses.multi_level_flow_loss(flows, target)
    torch.testing.assert_close(found, (single[0] + 2 * single[1]) / 3)
    torch.testing.assert_close(
        losses.multi_level_flow_loss(flows, target, weights=[3, 1]), (3 * single[0] + single[1]) / 4
    )
    # A shift is the same at every level, so its truth costs nothing at any.
    shift = identity_flow(torch.zeros(8, 6)) + 0.2
    assert losses.multi_level_flow_loss([resize_flow(shift, (2, 2)), shift], shift) < 1e-6
    with pytest.raises(ValueError, match="2 flows and the weights"):
        losses.multi_level_flow_loss(flows, target, weights=[1.0])
    with pytest.raises(ValueError, match="0 flows"):
        losses.multi_level_flow_loss([], target)
    with pytest.raises(ValueError, match="batch 2, the target 1"):
        losses.multi_level_flow_loss([far.repeat(2, 1, 1, 1)], target)


def test_second_order_smoothness_is_its_formula():
    flow, m = double(2, 2, 4, 5), (torch.rand(2, 1, 4, 5) > 0.2).double()
    f, w = flow.detach().numpy(), m.numpy()
    total = 0.0
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        cost = weight = 0.0
        for n in range(2):
            for i in range(1, 3):
                for j in range(1, 4):
                    three = w[n, 0, i, j] * w[n, 0, i + dy, j + dx] * w[n, 0, i - dy, j - dx]
                    weight += three
                    for c in range(2):
                        d = f[n, c, i + dy, j + dx] - 2 * f[n, c, i, j] + f[n, c, i - dy, j - dx]
                        cost += three * ((d * d + 1e-6) ** 0.45 - 1e-6**0.45)
        total += cost / weight / 4
    assert losses.second_order_smoothness(flow, m).item() == pytest.approx(total)


def test_smoothness_of_known_flows():
    affine = affine_flow([[0.8, 0.3], [-0.2, 1.1]], [0.1, -0.4])
    assert losses.second_order_smoothness(affine).item() == pytest.approx(0, abs=1e-12)
    assert losses.second_order_smoothness(affine.float()).item() == pytest.approx(0, abs=1e-7)
    assert losses.second_order_smoothness(affine + 0.1 * affine**2) > 1e-3
    shift = affine_flow([[1.0, 0.0], [0.0, 1.0]], [0.3, -0.2])
    assert losses.flow_total_variation(shift).item() == pytest.approx(0, abs=1e-12)
    # Stretched to twice the width, neighbours differ by one more cell, 2 / 5.
    wide = affine_flow([[2.0, 0.0], [0.0, 1.0]], [0.0, 0.0])
    assert losses.flow_total_variation(wide).item() == pytest.approx(2 / 5 / 2)
    with pytest.raises(ValueError, match="3x3"):
        losses.second_order_smoothness(torch.zeros(1, 2, 2, 5))
    with pytest.raises(ValueError, match=r"\[B, 2, H, W\]"):
        losses.flow_total_variation(torch.zeros(1, 1, 4, 4))


def test_a_flow_may_tear_at_the_edge_of_its_mask():
    flow = torch.zeros(1, 2, 6, 6)
    flow[..., 3:] = 0.5
    left = torch.zeros(1, 1, 6, 6)
    left[..., :3] = 1
    assert losses.second_order_smoothness(flow) > 0.01
    assert losses.second_order_smoothness(flow, left) == 0


# Grid


def test_grid_spacing_is_its_formula():
    grid = double(2, 2, 4, 5)
    g = grid.detach().numpy()
    across = [
        abs(abs(g[n, 0, i, j + 1] - g[n, 0, i, j]) - abs(g[n, 0, i, j] - g[n, 0, i, j - 1]))
        for n in range(2)
        for i in range(4)
        for j in range(1, 4)
    ]
    down = [
        abs(abs(g[n, 1, i + 1, j] - g[n, 1, i, j]) - abs(g[n, 1, i, j] - g[n, 1, i - 1, j]))
        for n in range(2)
        for i in range(1, 3)
        for j in range(5)
    ]
    assert losses.grid_spacing_loss(grid).item() == pytest.approx(np.mean(across) + np.mean(down))
    assert gradcheck(losses.grid_spacing_loss, grid)
    torch.testing.assert_close(losses.grid_spacing_loss(grid.flip(0)), losses.grid_spacing_loss(grid))


def test_bending_is_its_formula():
    theta = double(2, 12, 2)
    t = theta.detach().numpy().reshape(2, 3, 4, 2)
    rows = [
        ((t[n, i, j - 1] - 2 * t[n, i, j] + t[n, i, j + 1]) ** 2).sum()
        for n in range(2)
        for i in range(3)
        for j in (1, 2)
    ]
    columns = [((t[n, 0, j] - 2 * t[n, 1, j] + t[n, 2, j]) ** 2).sum() for n in range(2) for j in range(4)]
    found = losses.bending_loss(theta, (3, 4))
    assert found.item() == pytest.approx(np.mean(rows) + np.mean(columns))
    assert gradcheck(lambda x: losses.bending_loss(x, (3, 4)), theta)


def test_regular_grids_cost_nothing_wherever_they_are():
    theta = control_grid(5, 5)
    turned = theta @ torch.tensor([[0.8, 0.3], [-0.2, 1.1]]) + torch.tensor([0.2, -0.1])
    for points in (theta, theta + 0.3, turned):
        assert losses.bending_loss(points).item() == pytest.approx(0, abs=1e-12)
        assert losses.grid_spacing_loss(as_grid(points)).item() == pytest.approx(0, abs=1e-6)
    bent = theta.clone()
    bent[0, 12] += 0.2
    assert losses.bending_loss(bent) > 0.01 and losses.grid_spacing_loss(as_grid(bent)) > 0.01
    assert as_grid(theta)[0, :, 1, 3].tolist() == theta[0, 8].tolist()  # row 1, column 3
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert losses.bending_loss(bent.bfloat16()).dtype == torch.float32
        assert losses.grid_spacing_loss(as_grid(bent).bfloat16()).dtype == torch.float32


def test_grids_of_wrong_shape_are_told():
    with pytest.raises(ValueError, match=r"theta must be \[B, 25, 2\], got \[1, 9, 2\]"):
        losses.bending_loss(control_grid(3, 3))
    with pytest.raises(ValueError, match="3 rows and 3 columns"):
        losses.bending_loss(control_grid(2, 4), (2, 4))
    with pytest.raises(ValueError, match=r"\[B, 2, H, W\]"):
        losses.grid_spacing_loss(torch.zeros(1, 3, 5, 5))


# Adversarial


def test_adversarial_values_by_hand():
    real = [torch.tensor([2.0, 0.5]), torch.tensor([-1.0])]
    fake = [torch.tensor([-2.0, 0.0]), torch.tensor([0.5])]
    # Scales count alike: real (0 + 0.5) / 2 and 2, fake (0 + 1) / 2 and 1.5.
    assert losses.discriminator_loss(real, fake) == (0.25 + 2) / 2 + (0.5 + 1.5) / 2
    assert losses.generator_loss(fake) == -(-1 + 0.5) / 2
    squares = ((1 + 0.25) / 2 + 4) / 2 + ((4 + 0) / 2 + 0.25) / 2
    assert losses.discriminator_loss(real, fake, "least-squares") == squares / 2
    assert losses.generator_loss(fake, "least-squares") == ((9 + 1) / 2 + 0.25) / 2


@pytest.mark.parametrize("form", ["hinge", "least-squares"])
def test_adversarial_gradients_and_precision(form):
    real, fake = torch.randn(2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x, y: losses.discriminator_loss([x], [y], form), (real, fake))
    assert gradcheck(lambda y: losses.generator_loss([y], form), fake)
    (gradient,) = torch.autograd.grad(losses.generator_loss([fake], form), fake)
    if form == "hinge":
        assert (gradient < 0).all()  # always towards the photos
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = [fake.detach().bfloat16()]
        assert losses.discriminator_loss(half, half, form).dtype == torch.float32
        assert losses.generator_loss(half, form).dtype == torch.float32


def test_feature_matching_pulls_the_fake_alone():
    real = [[double(2, 3, 4, 4), double(2, 5, 2, 2)], [double(2, 3, 2, 2)]]
    fake = [[double(2, 3, 4, 4), double(2, 5, 2, 2)], [double(2, 3, 2, 2)]]
    loss = losses.feature_matching_loss(real, fake)
    layers = [(x - y).abs().mean().item() for a, b in zip(real, fake, strict=True) for x, y in zip(a, b, strict=True)]
    assert loss.item() == pytest.approx(sum(layers) / 2)  # two scales
    loss.backward()
    assert all(x.grad is None for scale in real for x in scale)
    assert all(x.grad.any() for scale in fake for x in scale)
    assert losses.feature_matching_loss(real, real) == 0
    half = [[x.bfloat16() for x in scale] for scale in fake]
    assert losses.feature_matching_loss(half, half).dtype == torch.float32
    with pytest.raises(ValueError, match="match in number and shape"):
        losses.feature_matching_loss(real, fake[:1])
    with pytest.raises(ValueError, match="match in number and shape"):
        losses.feature_matching_loss([real[0][:1]], [real[1]])


def test_adversarial_errors():
    with pytest.raises(ValueError, match="'wgan': choose one of hinge, least-squares"):
        losses.generator_loss([torch.zeros(1)], "wgan")
    for real, fake in (([], []), ([torch.zeros(1)], []), (torch.zeros(1), torch.zeros(1))):
        with pytest.raises(ValueError, match="one tensor a scale"):
            losses.discriminator_loss(real, fake)


# Composition


def test_composition_mask_reaches_for_what_is_visible():
    m, visible, region = double(2, 1, 4, 3), mask(2, 1, 4, 3), mask(2, 1, 4, 3)
    torch.testing.assert_close(losses.composition_mask_loss(m, visible), (m - visible).abs().mean())
    torch.testing.assert_close(
        losses.composition_mask_loss(m, torch.ones_like(m), region), ((1 - m) * region).sum() / region.sum()
    )
    with pytest.raises(ValueError, match=r"\[B, 1, H, W\]"):
        losses.composition_mask_loss(m.expand(-1, 3, -1, -1), visible)


def sure(classes):
    """Logits [1, 6, H, W] that leave no doubt."""
    return 200.0 * torch.nn.functional.one_hot(torch.tensor([classes]), len(LAYOUT)).movedim(-1, 1)


def test_arms_punch_holes():
    left, right = LAYOUT.index("left-arm"), LAYOUT.index("right-arm")
    layout = sure([[0, 1, left], [right, 4, 5]])
    warped = torch.tensor([[[[1.0, 0.5, 1], [1, 0.5, 0]]]])
    assert losses.visible_mask(warped, layout).tolist() == [[[[1, 0.5, 0], [0, 0.5, 0]]]]
    chances, m = torch.randn(1, 7, 2, 3, dtype=torch.float64, requires_grad=True), double(1, 1, 2, 3)
    assert gradcheck(losses.visible_mask, (m, chances))
    with pytest.raises(ValueError, match="classes 0 to 6, not"):
        losses.visible_mask(warped, layout, covering=(2, 7))


def test_the_layout_shows_no_garment_the_warp_does_not_bring():
    garment, arm = LAYOUT.index("garment"), LAYOUT.index("left-arm")
    layout = sure([[garment, garment, arm, 0]])
    assert losses.clothing_consistency_loss(layout, torch.tensor([[[[1.0, 1, 1, 0]]]])) == 0  # an arm in front
    assert losses.clothing_consistency_loss(layout, torch.tensor([[[[1.0, 0, 1, 0]]]])) == 1 / 4
    chances, m = torch.randn(1, 7, 2, 3, dtype=torch.float64, requires_grad=True), double(1, 1, 2, 3)
    assert gradcheck(losses.clothing_consistency_loss, (chances, m))
    with pytest.raises(ValueError, match=r"warped_mask must be \[1, 1, 1, 4\]"):
        losses.clothing_consistency_loss(layout, torch.ones(1, 1, 1, 3))


# Together


def test_what_the_gmm_finds_fits_the_losses():
    """Every loss of the warp takes GMMOutput as it is, and together they reach every parameter."""
    config = GMMConfig(garment_channels=4, widths=(8, 16, 16, 32), depths=(0, 1, 1, 1), features=16, radii=(1, 1, 1))
    gmm = GMM(config)
    for parameter in gmm.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    person, garment = torch.rand(2, 3, 32, 32), torch.rand(2, 4, 32, 32)
    found = gmm.warp(person, garment)
    truth = identity_flow(person).expand(2, -1, -1, -1) + 0.1
    layout = torch.randint(0, 6, (2, 32, 32))
    garment_mask = (layout == 1).float()[:, None]
    total = (
        losses.l1_loss(found.warped[:, :3], person, garment_mask)
        + losses.multi_level_flow_loss([*found.flows, found.flow], truth, garment_mask)
        + losses.second_order_smoothness(found.flow)
        + losses.flow_total_variation(found.coarse_flow)
        + losses.grid_spacing_loss(found.coarse_flow)
        + losses.bending_loss(found.theta)
        + losses.layout_loss(found.layout, layout)
        + losses.l1_loss(losses.visible_mask(found.warped[:, 3:], found.layout), garment_mask)
        + losses.clothing_consistency_loss(found.layout, found.warped[:, 3:])
    )
    total.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in gmm.parameters())
