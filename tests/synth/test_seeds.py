import os
import subprocess
import sys
from pathlib import Path

import numpy as np

import vto_utils
from vto_utils.synth.seeds import stream


def numbers(*key):
    return stream(*key).random(8)


def test_the_same_three_give_the_same_numbers():
    np.testing.assert_array_equal(numbers(3, 5, "pose"), numbers(3, 5, "pose"))


def test_each_of_the_three_matters():
    start = numbers(3, 5, "pose")
    for other in ((4, 5, "pose"), (3, 6, "pose"), (3, 5, "light"), (5, 3, "pose")):
        assert np.abs(numbers(*other) - start).min() > 0


def test_what_was_drawn_before_does_not_matter():
    start = numbers(0, 1, "top")
    stream(0, 1, "top").random(100)
    stream(0, 0, "top").random(100)
    np.random.default_rng().random(5)
    np.testing.assert_array_equal(numbers(0, 1, "top"), start)


def test_another_process_draws_the_same():
    code = "from vto_utils.synth.seeds import stream; print(stream(7, 11, 'identity').integers(1 << 60))"
    root = Path(vto_utils.__file__).parents[1]
    told = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=root)
        told.add(done.stdout)
    assert told == {f"{stream(7, 11, 'identity').integers(1 << 60)}\n"}
