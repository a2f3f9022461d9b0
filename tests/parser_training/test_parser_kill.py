"""A run that is really killed, with SIGKILL in the middle of its work, ends as one that was left alone."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch
from drawn_people import write_ccp

from vto_utils.__main__ import main
from vto_utils.networks.parser import ParserConfig, ParserNet
from vto_utils.parser_training.trainer import ParserTrainConfig, ParserTrainer
from vto_utils.parsing.network import save_parser

ROOT = Path(__file__).resolve().parents[2]
STEPS = 8


def arguments(folder: Path, name: str, *more: str) -> list[str]:
    return [
        "train-parser", "--ccp", str(folder / "ccp"), "--out", str(folder / name),
        "--start", str(folder / "start.safetensors"), "--size", "64x64", "--batch", "1", "--steps", str(STEPS),
        "--workers", "1", "--save-every", "0.002", "--no-evaluate", "--device", "cpu", *more,
    ]  # fmt: skip


def log(run: Path) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return [(line["step"], line["loss"]) for line in lines]


def lines(run: Path) -> int:
    path = run / "log.jsonl"
    return path.read_bytes().count(b"\n") if path.is_file() else 0


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL on this system")
def test_a_run_killed_at_any_moment_ends_as_an_unbroken_one(tmp_path):
    torch.manual_seed(0)
    net = ParserNet(ParserConfig(width=16, depths=(0, 0, 0, 0), side_width=16))
    save_parser(tmp_path / "start.safetensors", net, (64, 64))
    write_ccp(tmp_path / "ccp", tmp_path / "whole" / "ccp")
    write_ccp(tmp_path / "unused", tmp_path / "broken" / "ccp")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    program = [sys.executable, "-m", "vto_utils"]

    moment = random.Random()
    enough, delay = moment.randrange(1, STEPS - 1), moment.random() * 0.3
    broken = subprocess.Popen([*program, *arguments(tmp_path, "broken")], env=environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while lines(tmp_path / "broken") < enough and broken.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(delay)
    finally:
        broken.send_signal(signal.SIGKILL)
        broken.wait()
    seen = lines(tmp_path / "broken")
    note = f"killed {delay:.3f} s after step {enough}, at {seen} lines"
    assert seen >= enough, note
    again = subprocess.Popen([*program, *arguments(tmp_path, "broken", "--resume")], env=environment)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums in another order are other sums
    try:
        assert main(arguments(tmp_path, "whole")) == 0
    finally:
        torch.set_num_threads(threads)
        code = again.wait(120)
    assert code == 0, note
    assert [step for step, _ in log(tmp_path / "whole")] == list(range(1, STEPS + 1))
    assert log(tmp_path / "broken") == log(tmp_path / "whole"), note
    one, other = (
        torch.load(sorted((tmp_path / name / "checkpoints").glob("*.pt"))[-1], weights_only=True)
        for name in ("whole", "broken")
    )
    for part in ("net", "average"):
        assert one[part].keys() == other[part].keys()
        assert all(torch.equal(one[part][name], other[part][name]) for name in one[part]), note
    shipped = [safetensors.torch.load_file(tmp_path / name / "parser.safetensors") for name in ("whole", "broken")]
    assert all(torch.equal(shipped[0][name], shipped[1][name]) for name in shipped[0]), note
    assert not list((tmp_path / "broken" / "checkpoints").glob("*.safetensors"))


def test_a_run_killed_before_its_first_checkpoint_begins_anew(tmp_path):
    config = ParserTrainConfig(size=(32, 32), batch=1, steps=1, imagenet=False)
    trainer = ParserTrainer([], config, tmp_path, "cpu")
    (tmp_path / "log.jsonl").write_text('{"step": 1, "loss": 2.0}\n', encoding="utf-8")
    assert not trainer.resume()
    assert log(tmp_path) == []
