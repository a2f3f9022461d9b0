from __future__ import annotations

import dataclasses
import json
import sys

import pytest

from vto_utils.errors import InputError
from vto_utils.training.config import LossWeights, StageConfig, TrainConfig, read_config


def test_configuration_survives_json():
    config = TrainConfig(
        stages=(StageConfig("joint", 7, (64, 48), 2, 3),), losses=LossWeights(flow=0.5), gmm={"features": 32}
    )
    assert TrainConfig.of(json.loads(json.dumps(config.to_dict()))) == config
    assert TrainConfig.of({}) == TrainConfig()
    assert TrainConfig.of(TrainConfig.quick().to_dict()) == TrainConfig.quick()


def test_default_run_goes_from_warp_to_joint():
    assert [stage.trains for stage in TrainConfig().stages] == ["warp", "warp", "synth", "joint"]
    assert TrainConfig().stages[0].size == (128, 96) and TrainConfig().stages[1].size == (256, 192)
    assert TrainConfig.quick().steps < 200


def test_every_number_has_a_range_and_a_meaning():
    for kind in (TrainConfig, StageConfig, LossWeights):
        for item in dataclasses.fields(kind):
            if item.type in ("int", "float"):
                assert item.metadata["min"] <= item.default <= item.metadata["max"] and item.metadata["help"], item.name


def test_settings_are_changed_by_name():
    config = TrainConfig().changed(
        ["seed=3", "losses.flow=0", "stages.1.size=64x48", "stages.0.steps=50", "augment=false", "gmm.features=32",
         "start_from=some/folder", "stages.2.size=[32, 32]"]
    )  # fmt: skip
    assert (config.seed, config.losses.flow, config.stages[0].steps) == (3, 0, 50)
    assert config.stages[1].size == (64, 48) and config.stages[2].size == (32, 32)
    assert config.augment is False and config.gmm == {"features": 32} and config.start_from == "some/folder"
    assert config.stages[3] == TrainConfig().stages[3]


@pytest.mark.parametrize(
    "setting, sentence",
    [
        ("seed", "write key=value"),
        ("speed=3", "no setting 'speed'"),
        ("losses.flaw=1", "no setting 'flaw' in losses"),
        ("stages.4.steps=1", "numbered 0 to 3"),
        ("stages.steps=1", "names no stage"),
        ("stages.0.trains=gmm", "trains one of warp, synth, joint"),
        ("stages.0.size=100x64", "multiples of 16"),
        ("stages.0.size=big", "height x width"),
        ("stages.0.steps=0", "1 or more"),
        ("stages.0.learning_rate=2", "at most 1"),
        ("stages.0.learning_rate=fast", "wrong kind"),
        ("losses.flow=-1", "0 or more"),
        ("device=tpu", "must be one of auto, cpu, cuda, mps"),
        ("seed=1.5", "whole number"),
        ("workers=many", "must be a number"),
        ("average=1.5", "from 0 to 0.99999"),
        ("stages=3", "must be a list"),
        ("losses=3", "must be a table"),
        ("gmm=3", "must be a table"),
    ],
)
def test_settings_that_cannot_be_used_are_named(setting, sentence):
    with pytest.raises(InputError, match=sentence):
        TrainConfig().changed([setting])


def test_identity_leaves_out_what_may_change():
    config = TrainConfig()
    same = config.changed(["device=cpu", "workers=4", "save_every=9", "precision=float32", "keep=1"])
    assert same.identity() == config.identity()
    assert config.changed(["seed=1"]).identity() != config.identity()
    assert config.changed(["losses.flow=1"]).identity() != config.identity()
    assert config.changed(["stages.0.steps=1"]).identity() != config.identity()


def test_batch_accumulation_and_processes_can_be_traded():
    config = TrainConfig(stages=(StageConfig("warp", 5, batch=8),))
    halves = TrainConfig(stages=(StageConfig("warp", 5, batch=4, accumulate=2),))
    assert config.identity() == halves.identity()
    assert TrainConfig(stages=(StageConfig("warp", 5, batch=4),)).identity(world=2) == config.identity()
    assert config.identity(world=2) != config.identity()


def test_files_are_read(tmp_path):
    (tmp_path / "a.json").write_text('{"seed": 3, "stages": [{"trains": "warp", "steps": 2, "size": "64x48"}]}')
    config = TrainConfig.of(read_config(tmp_path / "a.json"))
    assert config.seed == 3 and config.stages == (StageConfig("warp", 2, (64, 48)),)
    (tmp_path / "a.toml").write_text('seed = 3\n[[stages]]\ntrains = "warp"\nsteps = 2\nsize = "64x48"\n')
    if sys.version_info >= (3, 11):
        assert TrainConfig.of(read_config(tmp_path / "a.toml")) == config
    else:
        with pytest.raises(InputError, match="Python 3.11"):
            read_config(tmp_path / "a.toml")


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.json cannot be read"):
        read_config(tmp_path / "none.json")
    for text, sentence in (("{", "cannot be read"), ("[1]", "table of settings")):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(InputError, match=sentence):
            read_config(tmp_path / "bad.json")
