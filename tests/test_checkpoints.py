from __future__ import annotations

import dataclasses
import json
import os
import pickle

import pytest
import safetensors.torch
import torch

from vto_utils import checkpoints
from vto_utils.checkpoints import load_checkpoint, load_pth, save_checkpoint, save_pth
from vto_utils.errors import InputError, OutputError
from vto_utils.networks import GMM, GMMConfig, SynthesizerConfig, TryOnSynthesizer

GMM_CONFIG = GMMConfig(person_channels=5, garment_channels=4, widths=(8, 8, 16, 16), depths=(0, 0, 1, 1), features=8)
TOM_CONFIG = SynthesizerConfig(mask_channels=1, widths=(8, 16), depths=(0, 1), darkest=-1.0)


def small(seed):
    torch.manual_seed(seed)
    return GMM(GMM_CONFIG), TryOnSynthesizer(TOM_CONFIG)


@pytest.fixture
def networks():
    return small(0)


@pytest.fixture
def folder(tmp_path, networks):
    return save_checkpoint(tmp_path / "run", *networks, extra={"step": 7, "seed": 1})


def same_weights(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_folder_round_trip(folder, networks):
    assert sorted(os.listdir(folder)) == ["config.json", "gmm.safetensors", "tom.safetensors"]
    loaded = load_checkpoint(folder)
    assert loaded.meta == {"step": 7, "seed": 1}
    for network, saved in zip((loaded.gmm, loaded.tom), networks, strict=True):
        assert network.config == saved.config
        assert same_weights(network, saved)
        assert not network.training


def test_loaded_networks_compute_the_same(folder, networks):
    person, garment = torch.rand(1, 5, 32, 32), torch.rand(1, 4, 32, 32)
    loaded = load_checkpoint(folder)
    with torch.no_grad():
        assert torch.equal(loaded.gmm(person, garment), networks[0](person, garment))


def test_half_precision_halves_the_files_and_keeps_the_networks(folder, networks, tmp_path):
    small = save_checkpoint(tmp_path / "small", *networks, dtype=torch.float16)
    for name in ("gmm.safetensors", "tom.safetensors"):
        assert (small / name).stat().st_size < 0.7 * (folder / name).stat().st_size  # names take room too
    loaded = load_checkpoint(small)
    for network, saved in zip((loaded.gmm, loaded.tom), networks, strict=True):
        for name, value in network.state_dict().items():
            assert value.dtype == torch.float32
            torch.testing.assert_close(value, saved.state_dict()[name], atol=1e-6, rtol=1e-3)
    assert next(networks[0].parameters()).dtype == torch.float32  # those that were saved stay as they are


def test_folder_to_pth_to_folder(folder, networks, tmp_path):
    first = load_checkpoint(folder)
    path = save_pth(tmp_path / "virtual_tryon_model.pth", first.gmm, first.tom)
    second = load_checkpoint(path)
    third = load_checkpoint(save_checkpoint(tmp_path / "again", second.gmm, second.tom))
    assert third.gmm.config == GMM_CONFIG and third.tom.config == TOM_CONFIG
    assert same_weights(third.gmm, networks[0]) and same_weights(third.tom, networks[1])


def test_pth_of_default_networks_holds_the_two_state_dicts_only(tmp_path):
    gmm, tom = GMM(), TryOnSynthesizer()
    content = torch.load(save_pth(tmp_path / "model.pth", gmm, tom), weights_only=True)
    assert content.keys() == {"gmm", "tom"}
    gmm.load_state_dict(content["gmm"])
    tom.load_state_dict(content["tom"])


@pytest.mark.parametrize("configs", [(None, None), (GMMConfig.product(), SynthesizerConfig.product())])
def test_plain_torch_save_loads(tmp_path, configs):
    gmm, tom = GMM(configs[0]), TryOnSynthesizer(configs[1])
    torch.save({"gmm": gmm.state_dict(), "tom": tom.state_dict()}, tmp_path / "model.pth")
    loaded = load_checkpoint(tmp_path / "model.pth")
    assert loaded.gmm.config == gmm.config and loaded.tom.config == tom.config
    assert same_weights(loaded.gmm, gmm) and same_weights(loaded.tom, tom)


def test_loading_leaves_random_numbers_alone(folder):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    load_checkpoint(folder)
    assert torch.equal(torch.rand(4), expected)


def test_saving_again_replaces_and_keeps_other_files(folder):
    (folder / "notes.txt").write_text("mine")
    save_checkpoint(folder, *small(1), extra={"step": 8})
    loaded = load_checkpoint(folder)
    assert loaded.meta == {"step": 8}
    assert same_weights(loaded.gmm, small(1)[0])
    assert (folder / "notes.txt").read_text() == "mine"
    assert len(os.listdir(folder)) == 4  # no temporary files


@pytest.mark.parametrize("failing", ["gmm.safetensors", "tom.safetensors", "config.json"])
def test_interrupted_save_is_never_used(folder, networks, monkeypatch, failing):
    """The save dies at the rename of one file: the old checkpoint, or an error, but never a mixture."""
    replace = os.replace

    def dying(source, target):
        if str(target).endswith(failing):
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", dying)
    with pytest.raises(OutputError, match="No space left"):
        save_checkpoint(folder, *small(1))
    monkeypatch.undo()
    assert len(os.listdir(folder)) == 3  # nothing left behind
    if failing == "gmm.safetensors":  # the first rename: nothing has changed
        assert same_weights(load_checkpoint(folder).gmm, networks[0])
    else:
        with pytest.raises(InputError, match=r"gmm.safetensors is damaged or from another save"):
            load_checkpoint(folder)


def test_full_disk_while_writing_keeps_the_old_one(folder, networks, monkeypatch):
    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints.Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        save_checkpoint(folder, *small(1))
    assert same_weights(load_checkpoint(folder).gmm, networks[0])


def test_extra_must_be_json(tmp_path, networks):
    with pytest.raises(InputError, match="extra cannot be written as JSON"):
        save_checkpoint(tmp_path / "run", *networks, extra={"device": torch.device("cpu")})
    assert not (tmp_path / "run").exists()


def message_of(path):
    with pytest.raises(InputError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert "\n" not in message and message.endswith(".")
    return message


def test_missing_things_are_named(folder, tmp_path):
    assert "does not exist" in message_of(tmp_path / "nowhere")
    assert "does not exist" in message_of("null\0byte")
    assert "config.json is missing" in message_of(tmp_path)
    (folder / "tom.safetensors").unlink()
    assert "tom.safetensors is missing" in message_of(folder)


@pytest.mark.parametrize("name", ["gmm.safetensors", "tom.safetensors"])
def test_truncated_weights(folder, name):
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: len(data) // 2])
    assert f"{name} is damaged" in message_of(folder)


@pytest.mark.parametrize("text", ["", '{"format": 1', "[]", "{}", '{"format": 1, "gmm": {}}', "\udcff"])
def test_damaged_description(folder, text):
    (folder / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert "config.json is damaged" in message_of(folder)


def edit_description(folder, **changes):
    description = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(description | changes))


def test_newer_format(folder):
    edit_description(folder, format=99, package="vto_utils 9")
    assert "newer version (vto_utils 9)" in message_of(folder)


@pytest.mark.parametrize("change", [{"colour": 1}, {"features": -1}, {"widths": 5}])
def test_unknown_configuration(folder, change):
    edit_description(folder, gmm=dataclasses.asdict(GMM_CONFIG) | change)
    assert "cannot build" in message_of(folder)


def test_weights_of_another_shape(folder):
    edit_description(folder, gmm=dataclasses.asdict(GMM_CONFIG) | {"person_channels": 6})
    assert "do not fit GMM" in message_of(folder)


def test_not_safetensors_in_spite_of_the_hash(folder):
    (folder / "gmm.safetensors").write_bytes(b"hello")
    files = json.loads((folder / "config.json").read_text())["files"]
    edit_description(folder, files=files | {"gmm.safetensors": checkpoints._sha256(b"hello")})
    assert "not a safetensors file" in message_of(folder)


def test_safetensors_are_readable_without_us(folder, networks):
    assert safetensors.torch.load_file(folder / "gmm.safetensors").keys() == networks[0].state_dict().keys()


def test_truncated_pth(tmp_path, networks):
    path = save_pth(tmp_path / "model.pth", *networks)
    path.write_bytes(path.read_bytes()[:-1000])
    assert "is damaged" in message_of(path)
    path.write_bytes(b"")
    assert "is damaged" in message_of(path)


def test_pth_of_other_networks(tmp_path):
    conv = torch.nn.Sequential(torch.nn.Conv2d(6, 64, 3))
    torch.save({"gmm": conv.state_dict(), "tom": conv.state_dict()}, tmp_path / "model.pth")
    assert "do not fit GMM" in message_of(tmp_path / "model.pth")
    extended = {**GMM().state_dict(), "more": torch.zeros(1)}
    torch.save({"gmm": extended, "tom": TryOnSynthesizer().state_dict()}, tmp_path / "model.pth")
    assert "more is not one of its weights" in message_of(tmp_path / "model.pth")


@pytest.mark.parametrize("content", [{"gmm": {}}, [1, 2], {"gmm": 1, "tom": 2}])
def test_pth_that_is_no_checkpoint(tmp_path, content):
    torch.save(content, tmp_path / "model.pth")
    assert "must hold a 'gmm' and a 'tom'" in message_of(tmp_path / "model.pth")


def test_pth_with_values_that_are_not_tensors(tmp_path):
    state = dict.fromkeys(GMM().state_dict(), 1)
    torch.save({"gmm": state, "tom": state}, tmp_path / "model.pth")
    assert "is not a tensor" in message_of(tmp_path / "model.pth")


class Malicious:
    def __reduce__(self):
        return os.mkdir, ("should-not-exist",)


def test_pth_runs_no_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"gmm": Malicious(), "tom": {}}, "model.pth")
    assert "more than weights" in message_of("model.pth")
    (tmp_path / "old.pth").write_bytes(pickle.dumps(Malicious(), protocol=2))
    assert "more than weights" in message_of("old.pth")
    assert not (tmp_path / "should-not-exist").exists()


def test_missing_pth(tmp_path):
    with pytest.raises(InputError, match="is missing"):
        load_pth(tmp_path / "model.pth")
