"""Detectron2, which no package index carries: built once from source, its wheel kept and used again.

A compiled wheel fits one Python, one system, one PyTorch and one kind of GPU. Together they are the tag, which names
the folder a wheel lies in, so that no machine installs a wheel that was built for another. Everything else in this
package works without Detectron2.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from .errors import InputError, OutputError
from .files import atomic_path

# The commit of 2026-06-06: builds and runs against torch 2.13 to 2.15. There has been no release since 2021.
SOURCE = "git+https://github.com/facebookresearch/detectron2.git@02b5c4e295e990042a714712c21dc79b731e8833"
# Detectron2's model zoo imports pkg_resources, which setuptools has given up; from 70.1 on it builds wheels alone.
SETUPTOOLS = "setuptools>=70.1,<81"

_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
_WITHOUT = "everything else works without Detectron2"


@dataclass(frozen=True)
class Outcome:
    """Whether Detectron2 can be used now, and one sentence that says what was done or why not."""

    ready: bool
    sentence: str

    def __str__(self) -> str:
        return self.sentence


def wheel_tag() -> str:
    """What a wheel built here fits, such as ``cp312-linux_x86_64-torch2.11.0-cu128-sm75`` or ``...-cpu``.

    A machine without a usable GPU is ``cpu`` even where PyTorch was made for CUDA: no GPU code is compiled there.
    The compute capability (``sm75``: Colab's T4) belongs to it, for code is compiled for the GPU that is seen.

    Raises:
        InputError: PyTorch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise InputError(f"PyTorch cannot be imported ({error}); install it before Detectron2.") from error
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    system = re.sub(r"\W", "_", sysconfig.get_platform())
    device = "cpu"
    if torch.cuda.is_available():
        made_for = f"cu{torch.version.cuda}" if torch.version.cuda else f"hip{torch.version.hip}"
        device = f"{made_for.replace('.', '')}-sm{''.join(map(str, torch.cuda.get_device_capability()))}"
    return f"{python}-{system}-torch{torch.__version__.split('+')[0]}-{device}"


def cached_wheel(folder: str | os.PathLike) -> Path | None:
    """The newest whole wheel kept for this machine in ``folder/<wheel_tag()>``, or None.

    Raises:
        InputError: PyTorch is not installed.
    """
    place = Path(folder) / wheel_tag()
    try:
        # A wheel is a zip file, whose directory stands at its end: a torn one does not count.
        wheels = [path for path in place.glob("detectron2-*.whl") if zipfile.is_zipfile(path)]
        return max(wheels, key=lambda path: (path.stat().st_mtime, path.name), default=None)
    except OSError:  # a Drive that has vanished
        return None


def build_wheel(folder: str | os.PathLike, source: str = SOURCE) -> Path:
    """Build the wheel for this machine and keep it in ``folder/<wheel_tag()>``, whole or not at all.

    Built against the installed PyTorch. Takes 6 to 15 minutes on two cores and needs a C++ compiler and git.

    Args:
        folder: where wheels are kept, on Drive for instance.
        source: what ``pip wheel`` takes: an address, or a folder with the source.

    Raises:
        InputError: the build failed.
        OutputError: the wheel could not be kept.
    """
    with tempfile.TemporaryDirectory() as temporary:
        return _keep(_build(Path(temporary), source), Path(folder))


def ensure_detectron2(folder: str | os.PathLike, source: str = SOURCE) -> Outcome:
    """Make Detectron2 usable: as installed, from the kept wheel, or built once from its source and kept.

    It never raises for what can go wrong on the way: Detectron2 is one of three ways to find the person.

    Args:
        folder: where wheels are kept.
        source: as in :func:`build_wheel`.
    """
    try:
        if importlib.util.find_spec("detectron2") and _load_problem() is None:
            return Outcome(True, "Detectron2 is installed.")
        wheel = cached_wheel(folder)
        if wheel is not None:
            return _install(wheel, "from the wheel kept in", wheel.parent)
        print("Building Detectron2: 6 to 15 minutes, and only this once.", flush=True)
        # Compiled on the local disk, and installed from there even where the wheel cannot be kept.
        with tempfile.TemporaryDirectory() as temporary:
            built = _build(Path(temporary), source)
            try:
                place = _keep(built, Path(folder)).parent
            except OutputError as error:
                return _install(built, "but its wheel was not kept:", str(error).rstrip("."))
            return _install(built, "and its wheel kept in", place)
    except (InputError, OSError) as error:
        return Outcome(False, f"{str(error).rstrip('.')}; {_WITHOUT}.")


def _build(out: Path, source: str) -> Path:
    _prepare_setuptools()
    environment = dict(os.environ)
    if wheel_tag().endswith("-cpu"):
        environment["FORCE_CUDA"] = "0"
    # pip's own cache knows nothing of PyTorch: for a pinned commit it would hand out a wheel built for another one.
    options = ("--no-deps", "--no-build-isolation", "--no-cache-dir", "--wheel-dir", str(out))
    _run((*_PIP, "wheel", *options, source), "Detectron2 could not be built", environment)
    wheel = next(out.glob("detectron2-*.whl"), None)
    if wheel is None:
        raise InputError(f"Detectron2 could not be built: there is no wheel of it from {source}.")
    return wheel


def _keep(wheel: Path, folder: Path) -> Path:
    target = folder / wheel_tag() / wheel.name
    with atomic_path(target) as temporary:
        shutil.copyfile(wheel, temporary)
    return target


def _install(wheel: Path, how: str, what: object) -> Outcome:
    """Install a wheel with the small packages it needs; PyTorch is none of them and stays as it is."""
    _prepare_setuptools()
    broken = importlib.util.find_spec("detectron2") is not None
    _run((*_PIP, "install", "--quiet", str(wheel)), "Detectron2 could not be installed")
    if broken:  # the same version is there already, made for another PyTorch: pip would leave it
        again = ("install", "--quiet", "--force-reinstall", "--no-deps", str(wheel))
        _run((*_PIP, *again), "Detectron2 could not be installed")
    importlib.invalidate_caches()
    if problem := _load_problem():
        advice = "delete the folder of the wheel to build it anew"
        return Outcome(False, f"Detectron2 was installed but cannot be loaded ({problem}): {advice}; {_WITHOUT}.")
    return Outcome(True, f"Detectron2 was installed, {how} {what}.")


def _prepare_setuptools() -> None:
    """Install a setuptools that Detectron2 can be built and used with, where the present one is none."""
    major, minor = (int(part) for part in re.findall(r"\d+", _setuptools_version())[:2])
    builds = (major, minor) >= (70, 1) or importlib.util.find_spec("wheel") is not None
    if not builds or importlib.util.find_spec("pkg_resources") is None:
        _run((*_PIP, "install", "--quiet", SETUPTOOLS), f"{SETUPTOOLS}, which Detectron2 needs, could not be installed")
        importlib.invalidate_caches()


def _setuptools_version() -> str:
    try:
        return metadata.version("setuptools")
    except metadata.PackageNotFoundError:
        return "0.0"


def _load_problem() -> str | None:
    """Why Detectron2 cannot be loaded, or None; tried in a process of its own, which a bad build may end."""
    # The model zoo first: it loads PyTorch, whose libraries the compiled part wants to find.
    command = (sys.executable, "-c", "from detectron2 import model_zoo, _C")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else _cause(done)


def _run(command: tuple[str, ...], failure: str, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise InputError(f"{failure} ({_cause(done)}).")


def _cause(done: subprocess.CompletedProcess[str]) -> str:
    """The line of a failed command's output that says most: the first error that is not pip's own summary."""
    lines = [line.strip(" ×│╰─>") for line in (done.stdout + "\n" + done.stderr).splitlines()]
    lines = [line for line in lines if line]
    summaries = ("subprocess-exited-with-error", "ERROR: Failed", "error: metadata-generation-failed")
    for line in lines:
        if re.search(r"(error|fatal|exception)\b.*: |no module named", line, re.IGNORECASE) and not any(
            summary in line for summary in summaries
        ):
            return line.rstrip(".")
    return lines[-1].rstrip(".") if lines else f"exit code {done.returncode} without a word"
