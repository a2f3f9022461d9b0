from __future__ import annotations

import json
import os

import pytest

from vto_utils import fitting
from vto_utils.checkpoints import save_checkpoint
from vto_utils.errors import InputError
from vto_utils.networks import GMM, GMMConfig, SynthesizerConfig, TryOnSynthesizer
from vto_utils.panels.network_choice import network_choices


@pytest.fixture
def no_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "WEIGHTS", tmp_path / "nowhere")


def described(folder, step=None, product=True, time=1000):
    """A folder as far as the chooser reads it: networks of the training, or of one pair of photos."""
    folder.mkdir(parents=True)
    gmm = GMMConfig.product() if product else GMMConfig()
    tom = SynthesizerConfig.product() if product else SynthesizerConfig()
    shape = {"person_channels": gmm.person_channels, "garment_channels": gmm.garment_channels}
    facts = {
        "gmm": shape,
        "tom": {"layout_classes": tom.layout_classes},
        "files": {"gmm.safetensors": "ab", "tom.safetensors": "cd"},
        "extra": {} if step is None else {"step": step},
    }
    for name in ("gmm.safetensors", "tom.safetensors"):
        (folder / name).write_bytes(b"")
    (folder / "config.json").write_text(json.dumps(facts))
    os.utime(folder / "config.json", (time, time))


def test_nothing_there_is_the_geometric_warp_and_says_so(tmp_path, no_weights):
    found = network_choices(tmp_path / "missing")
    (only,) = found.choices
    assert (only.name, only.warp, only.weights) == ("auto", "auto", None)
    assert "geometric" in only.label and "no trained networks" in only.label
    assert found.named("") is only and found.named("geometric").warp == "geometric"
    assert only.sha256("geometric") is None


def test_the_packages_own_networks_come_first(tmp_path, monkeypatch):
    described(tmp_path / "own")
    monkeypatch.setattr(fitting, "WEIGHTS", tmp_path / "own")
    first, second = network_choices(tmp_path / "missing").choices
    assert (first.name, first.warp, second.name, second.warp) == ("auto", "auto", "geometric", "geometric")
    assert first.sha256("learned") == {"gmm.safetensors": "ab", "tom.safetensors": "cd"}
    assert second.sha256() is None


def test_trained_networks_newest_first(tmp_path, no_weights):
    described(tmp_path / "run" / "best", step=120, time=2000)
    described(tmp_path / "run" / "last", step=150, time=3000)
    described(tmp_path / "old")
    _, *trained = network_choices(tmp_path).choices
    assert [choice.name for choice in trained] == ["run/last", "run/best", "old"]
    assert trained[0].label == "run/last, step 150" and trained[2].label == "old"
    assert trained[0].weights == tmp_path / "run" / "last" and trained[0].warp == "learned"
    assert trained[0].sha256() == {"gmm.safetensors": "ab", "tom.safetensors": "cd"}


def test_what_cannot_be_used_is_named_and_not_offered(tmp_path, no_weights):
    described(tmp_path / "one_pair", product=False)
    described(tmp_path / "half")
    (tmp_path / "half" / "tom.safetensors").unlink()
    described(tmp_path / "torn")
    (tmp_path / "torn" / "config.json").write_text("{")
    described(tmp_path / "list")
    (tmp_path / "list" / "config.json").write_text("[]")
    found = network_choices(tmp_path)
    assert len(found.choices) == 1
    assert [note.split(":")[0] for note in found.notes] == ["half", "list", "one_pair", "torn"]
    with pytest.raises(InputError, match=r"named 'one_pair' \(one_pair: .*one pair of photos.*\): choose one of auto"):
        found.named("one_pair")


def test_a_real_checkpoint_is_offered_with_its_hashes(tmp_path, no_weights):
    small = {"widths": (4, 4, 4, 4, 4), "depths": (0, 0, 0, 0, 0)}
    networks = (
        GMM(GMMConfig(person_channels=GMMConfig.product().person_channels, garment_channels=4)),
        TryOnSynthesizer(SynthesizerConfig(mask_channels=1, layout_classes=7, pose_channels=18, darkest=-1.0, **small)),
    )
    save_checkpoint(tmp_path / "run", *networks, extra={"step": 3})
    choice = network_choices(tmp_path).named("run")
    assert choice.label == "run, step 3"
    assert {len(digest) for digest in choice.sha256().values()} == {64}
