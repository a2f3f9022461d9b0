from __future__ import annotations

import hashlib
import urllib.request

import pytest
import torch
import torch.nn.functional as F

from vto_utils import assets
from vto_utils.errors import AssetError, InputError
from vto_utils.losses import PerceptualLoss, perceptual
from vto_utils.losses.features import LiteFeatures, VGG19Features

MODULE = "vto_utils.losses.features"


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def lite() -> PerceptualLoss:
    """Small on a CPU, and with real weights."""
    return perceptual("efficientnet-lite0", progress=False).value


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty hub cache; the hub itself does not answer."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    # Nothing listens there, whatever the network.
    monkeypatch.setattr(f"{MODULE}.VGG19_URL", "http://127.0.0.1:9/models/vgg19-dcbb9e9d.pth")
    monkeypatch.setattr(urllib.request, "getproxies", dict)
    return tmp_path / "torch" / "hub" / "checkpoints"


def photos(batch=1, size=(64, 32)):
    """Smooth random pictures in [-1, 1]."""
    return F.interpolate(torch.rand(batch, 3, 8, 6), size=size, mode="bicubic").clamp(0, 1) * 2 - 1


def vgg19_state(value=0.0):
    """What torchvision's file holds, but for the values and the classifier's size."""
    state = {
        f"features.{name}": torch.full_like(tensor, value)
        for name, tensor in torch.nn.Sequential(*(x for part in VGG19Features().slices for x in part))
        .state_dict()
        .items()
    }
    return state | {"classifier.0.weight": torch.zeros(1), "features.34.weight": torch.zeros(1)}


# The distance


def test_distance_is_its_formula(lite):
    x, y = photos(2), photos(2)
    with torch.no_grad():
        a, b = lite.network(x), lite.network(y)
        expected = sum(0.2 * float((p - q).abs().mean()) for p, q in zip(a, b, strict=True))
        assert lite(x, y).item() == pytest.approx(expected, rel=1e-5)
        last = PerceptualLoss(lite.network, weights=(0, 0, 0, 0, 3))
        assert last(x, y).item() == pytest.approx(3 * float((a[-1] - b[-1]).abs().mean()), rel=1e-5)
        torch.testing.assert_close(lite(x.flip(0), y.flip(0)), lite(x, y))


def test_identical_pictures_are_zero_apart(lite):
    x = photos()
    assert lite(x, x.clone()) == 0


def test_the_nearer_the_smaller(lite):
    target, other = photos(1, (64, 64)), photos(1, (64, 64))
    with torch.no_grad():
        mixed = [float(lite(target + share * (other - target), target)) for share in (0.1, 0.3, 1.0)]
        blurred = [float(lite(F.avg_pool2d(target, k, 1, k // 2), target)) for k in (3, 7, 15)]
    assert 0 < mixed[0] < mixed[1] < mixed[2]
    assert 0 < blurred[0] < blurred[1] < blurred[2]


def test_descending_the_gradient_brings_the_picture_nearer(lite):
    target = photos()
    image = (target + 0.3 * torch.randn_like(target)).requires_grad_()
    before = lite(image, target)
    (gradient,) = torch.autograd.grad(before, image)
    with torch.no_grad():
        assert lite(image - 0.02 * gradient.sign(), target) < 0.95 * before


def test_only_the_image_learns(lite):
    image, target = photos().requires_grad_(), photos().requires_grad_()
    lite.train()
    assert not any(module.training for module in lite.modules())
    statistics = lite.network.encoder.stem[2].running_mean.clone()
    lite(image, target).backward()
    lite(image, target, torch.full((1, 1, 64, 32), 0.5)).backward()
    assert image.grad.any() and target.grad is None
    assert all(not p.requires_grad and p.grad is None for p in lite.parameters())
    assert torch.equal(lite.network.encoder.stem[2].running_mean, statistics)


@pytest.mark.parametrize("autocast", [False, True])
def test_formats(lite, autocast):
    loss = PerceptualLoss(lite.network, autocast=autocast)
    x, y = photos(2), photos(2)
    expected = lite(x, y)
    torch.testing.assert_close(loss(x.to(memory_format=torch.channels_last), y), expected, rtol=1e-4, atol=1e-5)
    assert loss(x.bfloat16(), y).dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(x, y)
    assert found.dtype == torch.float32
    if autocast:  # the convolutions are coarser, and it shows, but little
        assert found != expected
        torch.testing.assert_close(found, expected, rtol=0.05, atol=0)
    else:
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


def test_outside_the_mask_nothing_counts(lite):
    target, mask = photos(), torch.zeros(1, 1, 64, 32)
    mask[:, :, :32] = 1
    outside = (mask == 0).expand_as(target)
    image = photos().requires_grad_()
    loss = lite(image, target, mask)
    (gradient,) = torch.autograd.grad(loss, image)
    assert not gradient[outside].any() and gradient[~outside].any()
    wild = image.detach().masked_fill(outside, float("nan"))
    torch.testing.assert_close(lite(wild, target, mask), loss.detach())
    assert lite(image, target, 0 * mask) == 0
    with torch.no_grad():
        everything = lite(image, target, torch.ones_like(mask))
        torch.testing.assert_close(everything, lite(image, target))


def test_any_size_will_do(lite):
    """Edges are repeated up to multiples of 32, and a cell counts by its share of the picture."""
    x, y = photos(1, (33, 20)), photos(1, (33, 20))
    # Repeating the edge by hand: row 33 up to row 64, column 20 up to column 32.
    rows, columns = torch.arange(64).clamp(max=32), torch.arange(32).clamp(max=19)
    inside = torch.zeros(1, 1, 64, 32)
    inside[..., :33, :20] = 1
    expected = 0.0
    with torch.no_grad():
        a, b = (lite.network(t[:, :, rows][..., columns]) for t in (x, y))
        for number, (p, q) in enumerate(zip(a, b, strict=True)):
            share = F.avg_pool2d(inside, 2 ** (number + 1))
            expected += 0.2 * float(((p - q).abs() * share).sum() / (share.sum() * p.shape[1]))
        assert lite(x, y).item() == pytest.approx(expected, rel=1e-5)


def test_layers_are_of_unit_spread(lite):
    """The spread read from the weights is that of real features, so no layer drowns another."""
    pictures = torch.cat([photos(2, (128, 96)), torch.randn(1, 3, 128, 96).clamp(-1, 1) * 0.5])
    with torch.no_grad():
        measured = [float(f.transpose(0, 1).flatten(1).std(1).mean()) for f in lite.network(pictures)]
    assert all(0.3 < value < 3 for value in measured), measured
    raw = float(lite.network.spread.max() / lite.network.spread.min())
    assert raw > 2  # without it, they would differ


def test_features_are_those_of_pixels_as_imagenet_had_them(lite):
    pixels = torch.randint(0, 256, (1, 3, 32, 32)).float()
    with torch.no_grad():
        expected = lite.network.encoder((pixels - 127) / 128)
        found = lite.network(pixels / 127.5 - 1)
    for x, y, spread in zip(found, expected, lite.network.spread, strict=True):
        torch.testing.assert_close(x * spread, y, rtol=1e-3, atol=1e-3)


def test_errors(lite):
    x = photos()
    with pytest.raises(ValueError, match=r"\[B, 3, H, W\], got \[1, 1, 64, 32\]"):
        lite(x[:, :1], x[:, :1])
    with pytest.raises(ValueError, match="must have one shape"):
        lite(x, photos(2))
    with pytest.raises(ValueError, match=r"mask must be \[1, 1, 64, 32\]"):
        lite(x, x, torch.ones(1, 64, 32))
    with pytest.raises(ValueError, match="weights must be 5 numbers"):
        PerceptualLoss(lite.network, weights=(1, 2))
    with pytest.raises(InputError, match="'alexnet': choose one of auto, vgg19, efficientnet-lite0"):
        perceptual("alexnet")


# VGG19


def test_vgg19_features_are_those_of_torchvision():
    from torchvision.models.vgg import cfgs, make_layers

    network = VGG19Features().eval()
    whole = make_layers(cfgs["E"])[:-1]  # without the last pooling
    part = torch.nn.Sequential(*(layer for part in network.slices for layer in part))
    whole.load_state_dict(part.state_dict(), strict=False)  # the last three convolutions stay as they are
    image = photos(1, (16, 16))
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x, expected, names = (image / 2 + 0.5 - mean.view(3, 1, 1)) / std.view(3, 1, 1), [], []
    level, number = 1, 0
    with torch.no_grad():
        for layer in whole:  # conv and ReLU are counted within a level, pooling ends it
            x = layer(x)
            if isinstance(layer, torch.nn.ReLU):
                number += 1
                names.append(f"relu{level}_{number}")
                if number == 1:
                    expected.append(x.clone())
            elif isinstance(layer, torch.nn.MaxPool2d):
                level, number = level + 1, 0
        found = network(image)
    assert names[-1] == "relu5_4" and len(found) == len(expected) == 5
    for x, y in zip(found, expected, strict=True):
        torch.testing.assert_close(x, y)
    assert [x.shape[1:] for x in found] == [(64, 16, 16), (128, 8, 8), (256, 4, 4), (512, 2, 2), (512, 1, 1)]
    loss = PerceptualLoss(network)
    assert loss.weights == (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1) and loss.backbone == "vgg19"
    assert loss(image, image) == 0 < loss(image, photos(1, (16, 16)))


def test_without_vgg19_the_small_network_serves_and_says_why(hub):
    choice = perceptual(progress=False)
    assert choice.value.backbone == "efficientnet-lite0" and isinstance(choice.value.network, LiteFeatures)
    assert choice.reason.startswith("EfficientNet-Lite0, for vgg19-dcbb9e9d.pth is not in")
    assert str(hub) in choice.reason and "127.0.0.1 cannot be reached" in choice.reason
    with pytest.raises(AssetError, match="127.0.0.1 cannot be reached.*choose the backbone 'efficientnet-lite0'"):
        perceptual("vgg19", progress=False)
    asked = perceptual("efficientnet-lite0", progress=False)
    assert asked.reason == "as asked, EfficientNet-Lite0"
    state = torch.load(assets.fetch("efficientnet-lite0", progress=False), weights_only=True)
    assert torch.equal(asked.value.network.encoder.stem[1].weight, state["_conv_stem.weight"])


def test_vgg19_is_taken_where_its_file_is(hub):
    hub.mkdir(parents=True)
    torch.save(vgg19_state(0.25), hub / "vgg19-dcbb9e9d.pth")
    choice = perceptual()
    assert choice.value.backbone == "vgg19"
    assert choice.reason == f"VGG19, weights found in {hub}"
    assert all((p == 0.25).all() for p in choice.value.parameters())
    (hub / "vgg19-dcbb9e9d.pth").write_bytes(b"half a file")
    with pytest.raises(AssetError, match=r"vgg19-dcbb9e9d.pth does not hold VGG19's weights: delete it"):
        perceptual()


def test_vgg19_is_fetched_where_the_hub_answers(hub, tmp_path, monkeypatch):
    source = tmp_path / "source.pth"
    torch.save(vgg19_state(), source)
    digits = hashlib.sha256(source.read_bytes()).hexdigest()[:8]
    source = source.rename(tmp_path / f"vgg19-{digits}.pth")
    monkeypatch.setattr(f"{MODULE}.VGG19_URL", source.as_uri())
    choice = perceptual("vgg19", progress=False)
    assert choice.value.backbone == "vgg19" and choice.reason.startswith("as asked, VGG19, weights fetched from")
    assert (hub / source.name).is_file()
    # Other bytes than the name promises are refused, and none of them stay.
    wrong = source.rename(tmp_path / "vgg19-00000000.pth")
    monkeypatch.setattr(f"{MODULE}.VGG19_URL", wrong.as_uri())
    choice = perceptual(progress=False)
    assert choice.value.backbone == "efficientnet-lite0" and "did not deliver it" in choice.reason
    assert [path.name for path in hub.iterdir()] == [f"vgg19-{digits}.pth"]
