from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
import training_items as drawn

from vto_utils.errors import InputError
from vto_utils.labels import ID
from vto_utils.networks import GMM, LAYOUT, DiscriminatorConfig, GMMConfig, SynthesizerConfig, TryOnSynthesizer
from vto_utils.training import schedule
from vto_utils.training.adversary import Adversary
from vto_utils.training.config import LossWeights, StageConfig
from vto_utils.training.learner import Learner
from vto_utils.training.pictures import LAYOUT_COLOURS, sample_grid
from vto_utils.training.processes import Processes
from vto_utils.training.stages import Networks, compute, needs_perceptual
from vto_utils.training.validation import installed_ssim, validate

WEIGHTS = LossWeights(**drawn.NO_FEATURES)


def small_networks(seed: int = 0) -> Networks:
    torch.manual_seed(seed)
    gmm = GMM(replace(GMMConfig.product(), **drawn.GMM))
    tom = TryOnSynthesizer(SynthesizerConfig(1, len(LAYOUT), 18, darkest=-1, **drawn.TOM))
    for parameter in [*gmm.parameters(), *tom.parameters()]:
        if not parameter.any():  # wake what starts at zero
            torch.nn.init.normal_(parameter, std=0.02)
    return Networks(gmm, tom)


def test_known_flow_and_layout_cost_nothing():
    """With the truth in place of what the GMM finds, the losses of the truth vanish and the others do not grow."""
    from vto_utils.networks import GMMOutput, sample_garment
    from vto_utils.networks.inputs import garment_input, layout_target, repaintable
    from vto_utils.training.stages import warp_terms

    batch = drawn.batch(3)
    flow = batch["flow"] + 5 * (1 - batch["flow_valid"])  # elsewhere nothing is read
    where = repaintable(batch["agnostic_mask"], batch["parse"], batch["category"])
    layout = layout_target(batch["target_parse"], batch["category"], where)
    logits = 30.0 * torch.nn.functional.one_hot(layout, len(LAYOUT)).movedim(-1, 1)
    warped = sample_garment(garment_input(batch["cloth"], batch["cloth_mask"]), flow)
    found = GMMOutput(flow, flow, warped, logits, torch.zeros(3, 25, 2), (flow,) * 4, (flow,) * 4)
    terms = warp_terms(batch, found, WEIGHTS, None)
    for name in ("flow", "coarse_flow", "colour", "layout"):
        assert terms[name] < 1e-4, name
    assert terms["spill"] < 0.02
    assert terms["cover"] < 0.1 and terms["seen"] < 0.2  # the mask is read between pixels
    worse = warp_terms(batch, found._replace(flow=flow + 0.2, flows=(flow, *[flow + 0.2] * 3)), WEIGHTS, None)
    # 0.2 is 19.2 pixels of 192 and 25.6 of 256
    assert worse["flow"].item() == pytest.approx((19.2**2 + 25.6**2) ** 0.5, rel=1e-3)
    everywhere = warp_terms(batch, found._replace(warped=torch.ones_like(warped)), WEIGHTS, None)
    assert everywhere["spill"] == pytest.approx(1) and everywhere["cover"] == 0
    trousers = torch.where(batch["target_garment"][:, 0] > 0, ID["pants"], batch["target_parse"].long())
    lower = batch | {"target_parse": trousers, "category": torch.ones_like(batch["category"])}
    assert warp_terms(lower, found, WEIGHTS, None)["spill"] < 0.05  # worn trousers are not spilled


@pytest.mark.parametrize("trains", ["warp", "synth", "joint"])
def test_loss_is_the_weighted_sum_of_its_terms(trains):
    weights = LossWeights(**drawn.NO_FEATURES, joint_warp=0.5)
    networks, batch = small_networks(), drawn.batch(2)
    result = compute(trains, networks, batch, weights, None)
    of_warp = {"flow", "coarse_flow", "colour", "seen", "cover", "spill", "layout", "smooth", "bending"}
    of_synth = {"image", "inside", "composition", "shading_even", "shading_one"}
    assert set(result.terms) == {"warp": of_warp, "synth": of_synth, "joint": of_warp | of_synth}[trains]
    expected = sum(
        getattr(weights, name) * term * (0.5 if trains == "joint" and name in of_warp else 1)
        for name, term in result.terms.items()
    )
    torch.testing.assert_close(result.loss.detach(), expected)
    assert (result.made is None) == (trains == "warp")


def test_losses_of_no_weight_are_left_out():
    result = compute("warp", small_networks(), drawn.batch(1), LossWeights(**drawn.NO_FEATURES, flow=0, smooth=0), None)
    assert "flow" not in result.terms and "smooth" not in result.terms and "layout" in result.terms
    nothing = LossWeights(**{name: 0 for name in LossWeights.__dataclass_fields__})
    assert compute("joint", small_networks(), drawn.batch(1), nothing, None).loss == 0


def test_perceptual_distance_is_wanted_where_it_counts():
    assert not needs_perceptual("joint", WEIGHTS)
    of_warp, of_synth = LossWeights(image_features=0), LossWeights(features=0)
    assert needs_perceptual("warp", of_warp) and not needs_perceptual("synth", of_warp)
    assert needs_perceptual("synth", of_synth) and not needs_perceptual("warp", of_synth)
    assert needs_perceptual("joint", of_warp) and not needs_perceptual(
        "joint", LossWeights(image_features=0, joint_warp=0)
    )


@pytest.mark.parametrize("trains, untouched", [("warp", "tom"), ("synth", "gmm"), ("joint", "")])
def test_gradients_reach_what_is_trained(trains, untouched):
    networks = small_networks()
    compute(trains, networks, drawn.batch(2), WEIGHTS, None).loss.backward()
    for name in ("gmm", "tom"):
        reached = [p.grad is not None and bool(p.grad.any()) for p in getattr(networks, name).parameters()]
        assert not any(reached) if name == untouched else all(reached), name


@pytest.mark.parametrize("trains", ["warp", "joint"])
def test_loss_of_a_batch_is_the_mean_over_its_samples(trains):
    """Also where the masks have different sizes and one sample has no flow."""
    networks, batch = small_networks(), drawn.batch(3)
    batch["has_flow"][1] = False
    batch["target_garment"][2, :, :30] = 0
    whole = compute(trains, networks, batch, WEIGHTS, None)
    parts = [compute(trains, networks, {k: v[n : n + 1] for k, v in batch.items()}, WEIGHTS, None) for n in range(3)]
    for name, term in whole.terms.items():
        torch.testing.assert_close(term, sum(p.terms[name] for p in parts) / 3, msg=name)
    torch.testing.assert_close(whole.loss, sum(p.loss for p in parts) / 3)


def learner(*stages: StageConfig, **losses) -> Learner:
    return Learner(drawn.config(*stages, losses=losses), Processes("cpu"))


def weights_of(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def test_accumulated_batches_are_one_large_batch():
    """Gradients of four samples at once, of two and two, and of one, one, one and one; the discriminator's too."""
    gradients, judged = [], []
    batch = drawn.batch(4)
    for size in (4, 2, 1):
        parts = [{k: v[n : n + size] for k, v in batch.items()} for n in range(0, 4, size)]
        one = learner(StageConfig("joint", 4, drawn.SIZE, adversarial_from=0.0), adversarial=1.0)
        one.learn(parts)
        gradients.append(torch.cat([p.grad.flatten() for p in one.networks.parameters()]))
        judged.append(torch.cat([p.grad.flatten() for p in one.adversary.parameters()]))
    for other in (1, 2):
        torch.testing.assert_close(gradients[other], gradients[0], atol=1e-6, rtol=1e-4)
        torch.testing.assert_close(judged[other], judged[0], atol=1e-6, rtol=1e-4)
    assert gradients[0].abs().max() > 1e-3 and judged[0].abs().max() > 1e-4


def test_eight_samples_can_be_learned_by_heart():
    one = learner(StageConfig("warp", 60, drawn.SIZE, 8, learning_rate=4e-3, warm_up=0.05))
    batch = drawn.batch(8)
    first = one.learn([batch])
    for _ in range(59):
        last = one.learn([batch])
    assert last.loss < 0.35 * first.loss
    assert last.terms["flow"] < 0.4 * first.terms["flow"] and last.terms["layout"] < 0.4 * first.terms["layout"]


def test_synthesis_can_be_learned_by_heart():
    one = learner(StageConfig("synth", 60, drawn.SIZE, 8, learning_rate=4e-3, warm_up=0.05))
    batch = drawn.batch(4)
    first = one.learn([batch])
    for _ in range(59):
        last = one.learn([batch])
    assert last.terms["inside"] < 0.6 * first.terms["inside"]


def test_discriminator_joins_late_and_learns():
    one = learner(StageConfig("joint", 10, drawn.SIZE, 2, learning_rate=2e-3, adversarial_from=0.5), adversarial=0.1)
    batch = drawn.batch(2)
    before = weights_of(one.adversary)
    told = [one.learn([batch]) for _ in range(5)]
    assert torch.equal(before, weights_of(one.adversary)) and "discriminator" not in told[-1].terms
    told = [one.learn([batch]) for _ in range(5)]
    assert {"adversarial", "matching", "discriminator"} <= set(told[0].terms)
    assert told[-1].terms["discriminator"] < told[0].terms["discriminator"]
    assert one.adversary.discriminator.config.condition_channels == 3 + len(LAYOUT)


def test_generator_loss_leaves_the_discriminator_alone():
    torch.manual_seed(0)
    config = DiscriminatorConfig(**drawn.DISCRIMINATOR)
    adversary, networks, batch = Adversary(config), small_networks(), drawn.batch(1)
    adversary.begin_step()
    result = compute("joint", networks, batch, WEIGHTS, None)
    told = adversary.of_generator(batch, result, LossWeights(adversarial=2.0, matching=0.5))
    extra = 2.0 * (told.terms["adversarial"] + 0.5 * told.terms["matching"])
    torch.testing.assert_close(told.loss, result.loss + extra)
    told.loss.backward()
    assert all(p.grad is None for p in adversary.parameters()) and all(p.requires_grad for p in adversary.parameters())
    adversary.of_discriminator(batch, result).backward()
    assert all(p.grad is not None for p in adversary.parameters())


def test_stage_ends_with_the_running_means():
    config = drawn.config(
        StageConfig("warp", 3, drawn.SIZE, learning_rate=1e-2), StageConfig("synth", 3, drawn.SIZE), average=0.5
    )
    one = Learner(config, Processes("cpu"))
    tom = weights_of(one.networks.tom)
    for _ in range(3):
        one.learn([drawn.batch(2)])
    mean = weights_of(one.averaged().gmm)
    assert not torch.equal(mean, weights_of(one.networks.gmm))
    one.end_stage()
    assert torch.equal(mean, weights_of(one.networks.gmm)) and torch.equal(tom, weights_of(one.networks.tom))
    one.learn([drawn.batch(2)])
    assert torch.equal(mean, weights_of(one.networks.gmm)) and not torch.equal(tom, weights_of(one.networks.tom))


def test_warper_is_slower_in_a_joint_stage():
    one = learner(StageConfig("joint", 10, drawn.SIZE, learning_rate=1e-3, warm_up=0, warp_rate=0.25))
    one.learn([drawn.batch(1)])
    rates = {id(p): group["lr"] for group in one.optimizer.param_groups for p in group["params"]}
    assert {rates[id(p)] for p in one.networks.gmm.parameters()} == {2.5e-4}
    assert {rates[id(p)] for p in one.networks.tom.parameters()} == {1e-3}


def test_rate_rises_and_falls():
    rates = [schedule.rate_factor(step, 100, 0.1, 0.05) for step in range(100)]
    assert rates[:10] == pytest.approx([(n + 1) / 11 for n in range(10)])
    assert rates[10] == 1 and rates[99] == pytest.approx(0.05)
    assert all(a > b for a, b in zip(rates[10:], rates[11:], strict=False))
    assert schedule.rate_factor(0, 1, 0.5, 0.1) <= 1 and schedule.rate_factor(0, 1, 0.0, 0.1) == 1


def test_running_mean_is_its_formula():
    net = torch.nn.Linear(1, 1, bias=False)
    values, mean = [1.0, 3.0, -2.0, 5.0], schedule.running_mean(net, 0.15)
    expected = None
    for count, value in enumerate(values):
        torch.nn.init.constant_(net.weight, value)
        mean.update_parameters(net)
        decay = min(0.15, (1 + count) / (10 + count))
        expected = value if expected is None else decay * expected + (1 - decay) * value
        assert mean.module.weight.item() == pytest.approx(expected)
    assert not any(p.requires_grad for p in mean.parameters())


def test_figures_of_a_perfect_and_of_a_new_network():
    networks = small_networks().eval()
    batches = [drawn.batch(2), drawn.batch(1, first=2)]
    figures = validate(batches, lambda b: compute("synth", networks, b, WEIGHTS, None), installed_ssim())
    assert {"loss", "garment_iou", "epe", "layout_accuracy", "l1_inside"} <= set(figures)
    assert 0 <= figures["garment_iou"] < 1 and figures["epe"] > 1
    alone = [validate([b], lambda b: compute("synth", networks, b, WEIGHTS, None), None) for b in batches]
    for name in ("loss", "epe", "garment_iou"):
        assert figures[name] == pytest.approx((2 * alone[0][name] + alone[1][name]) / 3, rel=1e-4)

    def perfect(batch):
        found = compute("synth", networks, batch, WEIGHTS, None)
        return found._replace(
            found=found.found._replace(flow=batch["flow"]), made=found.made._replace(image=batch["target"])
        )

    figures = validate(batches, perfect, installed_ssim())
    assert figures["epe"] < 1e-3 and figures["l1_inside"] == 0 and figures.get("ssim", 1) == pytest.approx(1, abs=1e-4)


def test_samples_without_flow_have_no_error_of_it():
    networks, batch = small_networks(), drawn.batch(2)
    batch["has_flow"][:] = False
    assert "epe" not in validate([batch], lambda b: compute("warp", networks, b, WEIGHTS, None))


def test_grid_shows_a_row_for_each_sample():
    networks = small_networks()
    batches = [drawn.batch(2), drawn.batch(1)]
    with torch.no_grad():
        both = [[(b, compute(trains, networks, b, WEIGHTS, None)) for b in batches] for trains in ("warp", "synth")]
    five, six = (sample_grid(results, "title") for results in both)
    assert six.width > five.width and six.height == five.height
    assert six.height > 3 * 192  # three rows, enlarged
    assert len(LAYOUT_COLOURS) == len(LAYOUT)


def test_loss_that_is_no_number_is_told_and_changes_nothing():
    one = learner()
    before = copy.deepcopy(one.networks.state_dict())
    batch = drawn.batch(2)
    batch["target"][0, 0, 40, 20] = float("nan")
    batch["target_garment"][0, 0, 40, 20] = 1
    with pytest.raises(InputError, match=r"no number at step 1 \(loss\): begin a new run with a lower learning rate"):
        one.learn([batch])
    assert all(torch.equal(before[name], value) for name, value in one.networks.state_dict().items())
