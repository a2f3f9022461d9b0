from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import training_items as drawn
from dataset_files import write_viton_hd

from vto_utils.datasets import BatchOrder
from vto_utils.errors import InputError
from vto_utils.training.config import StageConfig
from vto_utils.training.data import TrainingData, batches
from vto_utils.training.learner import Learner
from vto_utils.training.precision import forward_format, gradient_scaler, pick_precision
from vto_utils.training.processes import Processes, shared_cores

STAGE = StageConfig("joint", 2, drawn.SIZE, 2, adversarial_from=0.0)

# Run by each of two processes: one step, and its gradients.
STEP = """
import sys, torch
sys.path[:0] = sys.argv[2:4]
torch.set_num_threads(1)
import test_training_processes as test
processes = test.Processes("cpu")
assert processes.world == 2 and processes.kind == "cpu"
values = processes.mean(torch.tensor([float(processes.rank)]))
assert values.item() == 0.5
gradients = test.gradients_of_a_step(test.STAGE, processes)
if processes.main:
    torch.save(gradients, sys.argv[1])
processes.wait()
processes.close()
"""


def gradients_of_a_step(stage: StageConfig, processes: Processes) -> dict[str, torch.Tensor]:
    config = drawn.config(stage, losses={"adversarial": 0.5})
    learner = Learner(config, processes)
    dataset = drawn.DrawnData(config).train(stage.size)
    group = next(batches(dataset, stage, 0, rank=processes.rank, world=processes.world))
    learned = learner.learn(group)
    modules = (learner.networks, learner.adversary)
    result = {f"{n}": torch.cat([p.grad.flatten() for p in m.parameters()]) for n, m in enumerate(modules)}
    return result | {"loss": torch.tensor(learned.loss)}


def test_two_processes_are_one_with_twice_the_batch(tmp_path):
    pytest.importorskip("accelerate")
    tests = Path(__file__).parent
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    running = []
    for rank in range(2):
        environment = {"WORLD_SIZE": "2", "RANK": str(rank), "LOCAL_RANK": str(rank)}
        environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "ACCELERATE_USE_CPU": "true"}
        command = [sys.executable, "-c", STEP, str(tmp_path / "two.pt"), str(tests), str(tests.parent)]
        running.append(subprocess.Popen(command, env=os.environ | environment))
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    two = torch.load(tmp_path / "two.pt", weights_only=True)
    one = gradients_of_a_step(StageConfig("joint", 2, drawn.SIZE, 4, adversarial_from=0.0), Processes("cpu"))
    assert one["0"].abs().max() > 1e-3 and one["1"].abs().max() > 1e-5
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=1e-6, rtol=1e-4)


def test_one_process_needs_no_accelerate():
    processes = Processes("cpu")
    assert (processes.rank, processes.world, processes.main, processes.device) == (0, 1, True, "cpu")
    assert processes.mean(torch.tensor(3.0)) == 3
    processes.wait()
    processes.close()


def test_several_processes_need_accelerate(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(InputError, match="pip install accelerate"):
        Processes("cpu")


def test_workers_get_cores_of_their_own(monkeypatch):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        monkeypatch.setattr(os, "cpu_count", lambda: 4)
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        for workers, threads in ((0, 4), (1, 3), (8, 1)):
            with shared_cores("cpu", workers):
                assert torch.get_num_threads() == threads
            assert torch.get_num_threads() == 4
        with shared_cores("cuda", 3):
            assert torch.get_num_threads() == 4
        monkeypatch.setenv("OMP_NUM_THREADS", "4")
        with shared_cores("cpu", 3):
            assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)


# The order of samples -----------------------------------------------------------------------------


class Keys:
    """A data set whose items are their keys."""

    def __len__(self):
        return 7

    def __getitem__(self, key):
        return {"parse": torch.zeros(2, 2), "key": torch.tensor(key)}


def keys(stage: StageConfig, **more) -> list[list[tuple[int, int]]]:
    groups = list(batches(Keys(), stage, 5, **more))
    assert all(len(group) == stage.accumulate for group in groups)
    return [[tuple(key) for batch in group for key in batch["key"].tolist()] for group in groups]


def test_steps_follow_from_seed_and_number():
    whole = keys(StageConfig("warp", 6, batch=4))
    assert len(whole) == 6 and all(len(step) == 4 for step in whole)
    assert [sorted(step) for step in keys(StageConfig("warp", 6, batch=2, accumulate=2))] == [sorted(s) for s in whole]
    assert keys(StageConfig("warp", 6, batch=4), start=2) == whole[2:]
    assert keys(StageConfig("warp", 6, batch=4), workers=2) == whole
    halves = [keys(StageConfig("warp", 6, batch=2), rank=rank, world=2) for rank in range(2)]
    assert [a + b for a, b in zip(*halves, strict=True)] == whole
    assert whole[0] == BatchOrder(7, 4, 6, seed=5).keys(0)


def test_data_are_opened_once_and_need_a_result(tmp_path, monkeypatch):
    write_viton_hd(tmp_path / "data")
    data = TrainingData([tmp_path / "data"], drawn.config(augmentation={"flip": 0.0}))
    opened = data.train(drawn.SIZE)
    assert len(opened) == 3 and opened[1, 2]["person"].shape == (3, *drawn.SIZE)
    assert data.train(drawn.SIZE) is opened and data.train((32, 32)) is not opened
    joined = TrainingData([tmp_path / "data", tmp_path / "data"], drawn.config()).train(drawn.SIZE)
    assert len(joined) == 6
    with pytest.raises(InputError, match="nothing to train on"):
        TrainingData([], drawn.config())
    with pytest.raises(InputError, match="settings of the augmentation"):
        TrainingData([tmp_path / "data"], drawn.config(augmentation={"flap": 1.0})).train(drawn.SIZE)
    without = dict(drawn.item(0), has_target=torch.tensor(False))
    monkeypatch.setattr("vto_utils.training.data.open_dataset", lambda *_, **__: {(0, 0): without})
    with pytest.raises(InputError, match="without photos of the result"):
        TrainingData(["x"], drawn.config()).train(drawn.SIZE)


def test_the_callers_random_numbers_are_left_alone():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    keys(StageConfig("warp", 2, batch=2))
    Learner(drawn.config(), Processes("cpu"))
    assert torch.equal(torch.rand(2), expected)


# Number formats -----------------------------------------------------------------------------------


def test_number_format_has_a_reason():
    choice = pick_precision("auto", "cpu")
    assert choice.value == torch.float32 and "CPU" in choice.reason
    assert pick_precision("bfloat16", "cpu").value == torch.bfloat16
    with pytest.raises(InputError, match="float16 needs a CUDA GPU, not cpu"):
        pick_precision("float16", "cpu")


def test_forward_passes_run_in_the_format():
    a, b = torch.rand(4, 4), torch.rand(4, 4)
    with forward_format(torch.bfloat16, "cpu"):
        assert (a @ b).dtype == torch.bfloat16
    with forward_format(torch.float32, "cpu"):
        assert (a @ b).dtype == torch.float32
    assert not gradient_scaler(torch.bfloat16, "cuda").is_enabled()


@pytest.mark.parametrize("more", [{"precision": "bfloat16"}, {"channels_last": "yes"}])
def test_a_step_in_another_format_is_nearly_the_same(more):
    stage = StageConfig("joint", 4, drawn.SIZE, 2)
    exact, other = (Learner(drawn.config(stage, **m), Processes("cpu")) for m in ({}, more))
    batch = drawn.batch(2)
    losses = [[one.learn([batch]).loss for _ in range(2)] for one in (exact, other)]
    assert losses[1] == pytest.approx(losses[0], rel=0.03)
    assert {p.dtype for p in other.networks.parameters()} == {torch.float32}
    assert all(p.grad.isfinite().all() for p in other.networks.parameters())
