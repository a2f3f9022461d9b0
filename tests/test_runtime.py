from __future__ import annotations

import platform
import random
import subprocess
import sys

import numpy as np
import pytest
import torch

from vto_utils import runtime
from vto_utils.errors import InputError
from vto_utils.runtime import Choice


@pytest.fixture
def gpu(monkeypatch):
    """Pretends that torch sees a GPU of this compute capability."""

    def pretend(capability, name="Test GPU"):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda *args: name)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *args: capability)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *args: (10 * 2**30, 15 * 2**30))

    return pretend


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_device_without_gpu(no_gpu):
    choice = runtime.pick_device()
    assert choice.value == "cpu" and "no GPU" in choice.reason
    assert runtime.pick_device("cpu").value == "cpu"
    for name in ("cuda", "mps"):
        with pytest.raises(InputError, match="GPU is usable here: choose"):
            runtime.pick_device(name)


def test_device_with_gpu(gpu):
    gpu((7, 5), "Tesla T4")
    for name in ("auto", "cuda"):
        choice = runtime.pick_device(name)
        assert choice.value == "cuda" and "Tesla T4" in choice.reason
    assert runtime.pick_device("cpu").value == "cpu"


def test_apple_device(no_gpu, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert runtime.pick_device().value == runtime.pick_device("mps").value == "mps"


def test_picked_device_computes():
    choice = runtime.pick_device()
    assert torch.ones(2, device=choice.value).sum().item() == 2


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "tpu"])
def test_unknown_device(name):
    with pytest.raises(InputError, match="choose one of auto, cpu, cuda, mps"):
        runtime.pick_device(name)


@pytest.mark.parametrize(
    ("capability", "dtype"),
    [((7, 5), torch.float16), ((7, 0), torch.float16), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)],
)
def test_dtype_follows_the_gpu(gpu, capability, dtype):
    gpu(capability, "Some GPU")
    choice = runtime.pick_dtype("cuda")
    assert choice.value == dtype and "Some GPU" in choice.reason and "{}.{}".format(*capability) in choice.reason
    assert runtime.pick_dtype(runtime.pick_device("cuda")) == choice


def test_dtype_elsewhere(no_gpu):
    assert runtime.pick_dtype("cpu").value == torch.float32
    assert runtime.pick_dtype(Choice("mps", "test")).value == torch.float32
    with pytest.raises(InputError, match="No CUDA GPU"):
        runtime.pick_dtype("cuda")


def test_seed_repeats_every_source_of_randomness():
    def draw():
        generator = runtime.seed_everything(7)
        return (
            random.random(),
            np.random.rand(),
            torch.rand(1).item(),
            torch.rand(1, generator=generator).item(),
        )

    first = draw()
    assert draw() == first
    runtime.seed_everything(8)
    assert torch.rand(1).item() != first[2]


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "7", None, True])
def test_bad_seed(seed):
    with pytest.raises(InputError, match="whole number from 0 to 4294967295"):
        runtime.seed_everything(seed)


def test_numpy_integers_are_seeds():
    runtime.seed_everything(np.int64(3))
    first = torch.rand(1)
    runtime.seed_everything(3)
    assert torch.equal(torch.rand(1), first)


def test_environment_table(no_gpu, monkeypatch):
    monkeypatch.setattr(runtime, "_PACKAGES", ("torch", "a-package-nobody-has"))
    rows = dict(line.split(maxsplit=1) for line in runtime.environment_table().splitlines())
    assert rows["torch"] == torch.__version__.split("+")[0] or rows["torch"] == torch.__version__
    assert rows["a-package-nobody-has"] == "not installed"
    assert rows["device"].startswith("cpu (")


def test_environment_table_with_gpu(gpu):
    gpu((8, 0), "NVIDIA A100")
    text = runtime.environment_table()
    assert "NVIDIA A100" in text and "10.0 GiB free of 15.0 GiB" in text and "bfloat16" in text


def test_choice_reads_as_a_sentence_part():
    assert str(Choice("cpu", "no GPU found")) == "cpu (no GPU found)"


def test_memory_is_kept_where_glibc_is():
    """A large array that was freed stays with the process, which it otherwise does not."""
    code = """if True:
        import os, sys
        import numpy as np
        from vto_utils.runtime import reuse_memory
        def held():
            return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20
        kept = reuse_memory() if sys.argv[1] == "keep" else None
        before = held()
        np.ones(64 << 20, np.uint8)  # and freed at once
        print(kept, held() - before)"""

    def run(how):
        done = subprocess.run([sys.executable, "-c", code, how], capture_output=True, text=True, check=True)
        kept, held = done.stdout.split()
        return kept, int(held)

    if platform.libc_ver()[0] != "glibc":
        assert runtime.reuse_memory() is False
        return
    kept, held = run("keep")
    assert kept == "True" and held >= 60
    assert run("leave")[1] < 10
