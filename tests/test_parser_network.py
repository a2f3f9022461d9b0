from __future__ import annotations

import numpy as np
import pytest
import torch

from vto_utils import assets
from vto_utils.labels import ID, NAMES
from vto_utils.networks.parser import (
    CLASS,
    CLASSES,
    LiteEncoder,
    ParserConfig,
    ParserNet,
    enlarge,
    from_cihp,
    to_cihp,
    translate_imagenet,
)

SMALL = ParserConfig(width=16, depths=(0, 0, 0, 0), side_width=16)


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return ParserNet(SMALL).eval()


@pytest.mark.parametrize("size", [(64, 32), (96, 96)])
def test_logits_have_a_quarter_of_the_size(net, size):
    with torch.inference_mode():
        logits = net(torch.randn(2, 11, *size))
    assert logits.shape == (2, len(CLASSES), size[0] // 4, size[1] // 4)
    assert enlarge(logits, size).shape[-2:] == size


def test_without_extras_only_the_photo_is_taken():
    net = ParserNet(ParserConfig(mask_channels=0, pose_channels=0, width=16, depths=(0, 0, 0, 0))).eval()
    with torch.inference_mode():
        assert net(torch.zeros(1, 3, 32, 32)).shape == (1, 18, 8, 8)
    with pytest.raises(ValueError, match="3"):
        net(torch.zeros(1, 4, 32, 32))


def test_sizes_that_do_not_fit_are_told(net):
    with pytest.raises(ValueError, match="multiples of 32"):
        net(torch.zeros(1, 11, 48, 32))
    with pytest.raises(ValueError, match="mask_channels"):
        ParserConfig(mask_channels=2)


def test_features_at_all_strides():
    with torch.inference_mode():
        features = LiteEncoder().eval()(torch.zeros(1, 3, 64, 96))
    assert [tuple(f.shape[1:]) for f in features] == [
        (16, 32, 48), (24, 16, 24), (40, 8, 12), (112, 4, 6), (320, 2, 3),
    ]  # fmt: skip


def test_extras_leave_the_encoder_alone_at_the_start(net):
    x = torch.randn(1, 11, 64, 64)
    other = torch.cat([x[:, :3], torch.rand(1, 8, 64, 64)], 1)
    deepest = []
    handle = net.encoder.stages[-1].register_forward_hook(lambda *args: deepest.append(args[2]))
    with torch.inference_mode():
        first, second = net(x), net(other)
    handle.remove()
    assert torch.equal(*deepest)
    assert not torch.equal(first, second)  # but the decoder sees them


def test_statistics_of_the_encoder_stay_in_training():
    net = ParserNet(SMALL).train()
    before = net.encoder.stem[2].running_mean.clone()
    net(torch.randn(2, 11, 32, 32)).sum().backward()
    assert torch.equal(net.encoder.stem[2].running_mean, before)
    assert net.encoder.stem[2].weight.grad is not None


def test_imagenet_weights_load_whole():
    path = assets.fetch("efficientnet-lite0", progress=False)
    state = torch.load(path, map_location="cpu", weights_only=True)
    encoder = LiteEncoder()
    encoder.load_imagenet(path)
    own = encoder.state_dict()
    assert torch.equal(own["stem.1.weight"], state["_conv_stem.weight"])
    assert torch.equal(own["stages.6.0.project.1.running_var"], state["_blocks.15._bn2.running_var"])
    # Values that meet their own statistics are what a trained network makes of a picture: none runs away.
    with torch.inference_mode():
        features = encoder.eval()(torch.zeros(1, 3, 64, 64))
    assert all(0 < float(f.abs().max()) < 100 for f in features)
    with pytest.raises(ValueError, match="tensors"):
        translate_imagenet(dict(list(state.items())[1:]), own)
    broken = dict(state)
    broken["_blocks.0._bn1.bias"] = torch.zeros(3)
    with pytest.raises(ValueError, match="_bn1.bias"):
        translate_imagenet(broken, own)


def test_ids_survive_the_way_there_and_back():
    ids = np.arange(20, dtype=np.uint8).reshape(4, 5)
    left = np.isin(ids, [ID["left-arm"], ID["left-leg"], ID["left-shoe"]])
    assert np.array_equal(to_cihp(from_cihp(ids), left, left), ids)


def test_sides_bags_and_unknown():
    arms = np.full((1, 2), CLASS["arm"])
    sides = np.array([[True, False]])
    assert to_cihp(arms, sides, ~sides).tolist() == [[ID["left-arm"], ID["right-arm"]]]
    assert to_cihp(np.array([[CLASS["bag"]]]), sides[:, :1], sides[:, :1]) == [[0]]
    arm, bag = CLASS["arm"], CLASS["bag"]
    assert from_cihp(np.array([[20, 255, 14, 15]], np.uint8)).tolist() == [[bag, 255, arm, arm]]
    assert {name.removeprefix("left-").removeprefix("right-") for name in NAMES} | {"bag"} == set(CLASSES)
