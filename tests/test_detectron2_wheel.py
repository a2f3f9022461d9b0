"""The build, the kept wheel and the installation, with a tiny package in Detectron2's place and a folder in pip's."""

from __future__ import annotations

import importlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from packaging.version import Version

from vto_utils import detectron2_wheel as wheels
from vto_utils.errors import InputError, OutputError

TAG = re.compile(r"cp3\d+-\w+-torch\d+\.\d+[\w.]*-(cpu|cu\d+-sm\d+|hip\w+-sm\d+)")
SETUP = """
import os
from setuptools import setup
assert os.environ.get("FORCE_CUDA") {condition}
setup(name="detectron2", version="0.6", packages=["detectron2"])
"""


@pytest.fixture(autouse=True)
def place_of_installation(monkeypatch, tmp_path):
    """pip installs into a folder of the test, asks no index, and finds a setuptools it can build with."""
    # Neither is imported here: setuptools would put its own distutils in the place of one that is already loaded.
    if importlib.util.find_spec("pip") is None or Version(wheels._setuptools_version()) < Version("70.1"):
        pytest.skip("pip and setuptools 70.1 or later are needed to build a package")
    assert importlib.util.find_spec("detectron2") is None, "these tests are for machines without Detectron2"
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.setenv("PIP_TARGET", str(site))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("FORCE_CUDA", "1")  # as left by somebody's shell
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.syspath_prepend(str(site))
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "pkg_resources.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path / "old"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return site


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    (folder / "detectron2").mkdir(parents=True)
    for name in ("__init__", "model_zoo", "_C"):
        (folder / "detectron2" / f"{name}.py").write_text("")
    (folder / "setup.py").write_text(SETUP.format(condition='== "0"'))
    return folder


def pip_calls(monkeypatch) -> list[tuple[str, ...]]:
    """The commands given to pip from here on; they are still run."""
    calls, run = [], wheels._run
    monkeypatch.setattr(wheels, "_run", lambda command, *rest: (calls.append(command), run(command, *rest))[1])
    return calls


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_tag_without_and_with_a_gpu(monkeypatch):
    tag = wheels.wheel_tag()
    assert TAG.fullmatch(tag) and tag.endswith("-cpu")
    assert f"cp{sys.version_info.major}{sys.version_info.minor}-" in tag
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch, "__version__", "2.11.0+cu128")
    assert TAG.fullmatch(wheels.wheel_tag()) and wheels.wheel_tag().endswith("-torch2.11.0-cu128-sm75")


def test_built_once_then_taken_from_the_cache(monkeypatch, tmp_path, source, place_of_installation, capsys):
    calls = pip_calls(monkeypatch)
    kept = tmp_path / "drive" / "wheels"
    first = wheels.ensure_detectron2(kept, str(source))
    assert first.ready and str(kept) in str(first), first
    assert "Building" in capsys.readouterr().out
    assert [command[5] for command in calls] == ["wheel", "install"]
    wheel = wheels.cached_wheel(kept)
    assert wheel.parent == kept / wheels.wheel_tag() and files(kept) == [wheel.name]
    assert "detectron2" in {path.name for path in place_of_installation.iterdir()}

    assert wheels.ensure_detectron2(kept, str(source)) == wheels.Outcome(True, "Detectron2 is installed.")
    assert len(calls) == 2

    for path in sorted(place_of_installation.rglob("*"), reverse=True):  # the next session: a fresh machine
        path.rmdir() if path.is_dir() else path.unlink()
    importlib.invalidate_caches()
    third = wheels.ensure_detectron2(kept, str(tmp_path / "no such source"))
    assert third.ready and "from the wheel kept" in str(third), third
    assert [command[5] for command in calls] == ["wheel", "install", "install"]


def test_wheel_that_cannot_be_kept_is_installed_all_the_same(tmp_path, source):
    (tmp_path / "file").write_text("")
    outcome = wheels.ensure_detectron2(tmp_path / "file", str(source))
    assert outcome.ready and "not kept" in str(outcome), outcome
    with pytest.raises(OutputError):
        wheels._keep(source / "setup.py", tmp_path / "file")


def test_failed_build_is_one_sentence(tmp_path, source):
    with (source / "setup.py").open("a") as file:
        file.write("raise RuntimeError('the compiler is not here')\n")
    with pytest.raises(InputError, match=r"could not be built .*the compiler is not here"):
        wheels.build_wheel(tmp_path / "kept", str(source))
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("how", ["another package", "no source"])
def test_without_a_wheel_everything_else_works(tmp_path, source, how):
    if how == "another package":
        text = (source / "setup.py").read_text()
        (source / "setup.py").write_text(text.replace('name="detectron2"', 'name="another"'))
    given = source if how == "another package" else tmp_path / "nowhere"
    outcome = wheels.ensure_detectron2(tmp_path / "kept", str(given))
    assert not outcome.ready and "\n" not in str(outcome)
    assert "could not be built" in str(outcome) and "everything else works without" in str(outcome)
    assert not (tmp_path / "kept").exists()


def test_interrupted_copy_leaves_nothing(monkeypatch, tmp_path, source):
    def torn(wheel, target):
        Path(target).write_bytes(Path(wheel).read_bytes()[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(wheels.shutil, "copyfile", torn)
    with pytest.raises(OutputError, match="No space left"):
        wheels._keep(source / "setup.py", tmp_path / "kept")
    assert files(tmp_path / "kept") == []


def test_only_a_whole_wheel_of_this_machine_counts(tmp_path):
    import zipfile

    place = tmp_path / wheels.wheel_tag()
    for folder in (place, tmp_path / "cp39-other-torch1.10-cu113"):
        folder.mkdir()
        with zipfile.ZipFile(folder / "detectron2-0.6-py3-none-any.whl", "w") as wheel:
            wheel.writestr("detectron2/__init__.py", "")
    whole = place / "detectron2-0.6-py3-none-any.whl"
    (place / "detectron2-0.7-py3-none-any.whl").write_bytes(whole.read_bytes()[:40])
    assert wheels.cached_wheel(tmp_path) == whole
    whole.unlink()
    assert wheels.cached_wheel(tmp_path) is None
    assert wheels.cached_wheel(tmp_path / "nothing here") is None


def test_gpu_machine_is_left_to_decide(monkeypatch, tmp_path, source):
    (source / "setup.py").write_text(SETUP.format(condition='== "1"'))
    monkeypatch.setattr(wheels, "wheel_tag", lambda: "cp312-linux_x86_64-torch2.11.0-cu128-sm75")
    assert wheels.build_wheel(tmp_path / "kept", str(source)).parent.name.endswith("-cu128-sm75")


@pytest.mark.parametrize(
    ("version", "resources", "asked"), [("75.2.0", True, False), ("84.2.1", False, True), ("65.5.0", True, True)]
)
def test_setuptools_is_replaced_only_where_it_has_to_be(monkeypatch, version, resources, asked):
    calls = []
    monkeypatch.setattr(wheels, "_run", lambda command, *_: calls.append(command))
    monkeypatch.setattr(wheels, "_setuptools_version", lambda: version)
    monkeypatch.setitem(sys.modules, "wheel", None)
    if not resources:
        monkeypatch.setitem(sys.modules, "pkg_resources", None)
    wheels._prepare_setuptools()
    assert [command[-1] for command in calls] == ([wheels.SETUPTOOLS] if asked else [])


def test_wheel_that_cannot_be_loaded(tmp_path, source):
    (source / "detectron2" / "_C.py").write_text("raise ImportError('undefined symbol: of another torch')")
    outcome = wheels.ensure_detectron2(tmp_path / "kept", str(source))
    assert not outcome.ready and "undefined symbol" in str(outcome) and "build it anew" in str(outcome), outcome


def test_the_line_that_says_most():
    def cause(text: str) -> str:
        return wheels._cause(subprocess.CompletedProcess((), 1, stdout="", stderr=text))

    network = (
        "  fatal: unable to access 'https://example.org/': Could not resolve host\nerror: subprocess-exited-with-error"
    )
    assert cause(network).endswith("Could not resolve host")
    assert (
        cause("ERROR: Failed building wheel for x\n  gcc: fatal error: no input files\n")
        == "gcc: fatal error: no input files"
    )
    assert cause("No module named pip") == "No module named pip"
    assert "exit code 1" in cause("")


def test_source_is_pinned():
    assert re.fullmatch(r"git\+https://github\.com/facebookresearch/detectron2\.git@[0-9a-f]{40}", wheels.SOURCE)
