from __future__ import annotations

import json

import pytest
import torch
from drawn_people import write_ccp

from vto_utils.__main__ import main
from vto_utils.networks.parser import ParserConfig, ParserNet
from vto_utils.parsing.network import load_parser, save_parser

NETWORK = ParserConfig(width=16, depths=(0, 0, 0, 0), side_width=16)


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    save_parser(tmp_path / "earlier.safetensors", ParserNet(NETWORK), (64, 64))
    return tmp_path / "earlier.safetensors"


def test_a_run_from_earlier_weights_is_recorded_and_goes_on(tmp_path, weights, capsys):
    write_ccp(tmp_path / "ccp", tmp_path / "run" / "ccp")
    command = ["train-parser", "--ccp", str(tmp_path / "ccp"), "--out", str(tmp_path / "run"), "--device", "cpu"]
    command += ["--workers", "0"]
    first = ["--start", str(weights), "--size", "96x64", "--learning-rate", "0.0002", "--batch", "2", "--steps", "2"]
    assert main([*command, *first]) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["start"] == str(weights) and config["learning_rate"] == 0.0002 and config["size"] == [96, 64]
    assert config["network"]["width"] == 16
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").open()]
    assert [line["step"] for line in lines] == [1, 2, 2] and "mean_iou" in lines[-1]["evaluation"]
    assert load_parser(tmp_path / "run" / "parser.safetensors")[1] == (96, 64)
    assert main([*command, *first]) == 2
    assert "--resume" in capsys.readouterr().err
    weights.unlink()
    assert main([*command, "--resume", "--no-evaluate"]) == 0
    assert "Going on after step 2" in capsys.readouterr().out


def test_evaluation_tells_both_parsers_apart(tmp_path, weights, capsys):
    write_ccp(tmp_path / "ccp", tmp_path / "cache")
    command = ["evaluate-parser", "--ccp", str(tmp_path / "ccp"), "--cache", str(tmp_path / "cache")]
    command += ["--weights", str(weights), "--device", "cpu", "--rules", "--json", str(tmp_path / "f.json")]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "3 photos" in out and "64x64" in out and "network" in out and "left-arm" in out
    report = json.loads((tmp_path / "f.json").read_text())
    assert report["photos"] == 3 and report["weights"]["size"] == [64, 64] and len(report["weights"]["sha256"]) == 64
    assert set(report["figures"]) == {"network", "rules"}
    for figures in report["figures"].values():
        assert 0 <= figures["mean_iou"] <= 1 and figures["classes"]["scarf"] in (None, 0.0)
    assert report["figures"]["rules"]["classes"] != report["figures"]["network"]["classes"]
    assert report["figures"]["rules"]["groups"]["background"] > 0.9  # the mask is the drawn person


def test_command_tells_what_is_missing(tmp_path, capsys):
    assert main(["train-parser", "--ccp", str(tmp_path), "--out", str(tmp_path / "o")]) == 2
    assert "labels.json" in capsys.readouterr().err
    assert main(["train-parser", "--out", str(tmp_path / "o")]) == 2
    assert "nothing to train on" in capsys.readouterr().err
    assert main(["train-parser", "--out", str(tmp_path / "o"), "--start", str(tmp_path / "none")]) == 2
    assert "missing" in capsys.readouterr().err
    assert main(["evaluate-parser", "--ccp", str(tmp_path), "--weights", str(tmp_path / "none")]) == 2
    assert "missing" in capsys.readouterr().err
