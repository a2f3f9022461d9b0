"""Trained networks on disk: a folder that describes itself, and the single .pth file of the first version.

    my_checkpoint/
        gmm.safetensors     weights of the GMM
        tom.safetensors     weights of the TryOnSynthesizer
        config.json         how both are built, the sha256 of both files, versions, and any extra facts

The networks are rebuilt from ``config.json`` and take their weights strictly. It is written last and names
the weights by their hash, so a folder that mixes two saves is noticed, never used. safetensors, and torch's
``weights_only`` for the .pth, hold numbers only: opening somebody's checkpoint runs none of their code.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from . import __version__
from .errors import InputError
from .files import atomic_path
from .networks import GMM, GMMConfig, SynthesizerConfig, TryOnSynthesizer

FORMAT = 1  # of config.json; raised when an older reader would misunderstand a newer folder
CONFIG_FILE = "config.json"
PTH_FILE = "virtual_tryon_model.pth"

_NETWORKS = {"gmm": (GMM, GMMConfig), "tom": (TryOnSynthesizer, SynthesizerConfig)}


@dataclass(frozen=True)
class Checkpoint:
    """Both networks, in evaluation mode, and what was written down about them."""

    gmm: GMM
    tom: TryOnSynthesizer
    meta: dict[str, Any] = field(default_factory=dict)  # the ``extra`` given when it was saved: step, seed...


def save_checkpoint(
    folder: str | os.PathLike,
    gmm: GMM,
    tom: TryOnSynthesizer,
    extra: Mapping[str, Any] | None = None,
    dtype: torch.dtype | None = None,
) -> Path:
    """Write both networks into a folder, in place of what was saved there before.

    Args:
        folder: made where it is missing; other files in it are left alone.
        gmm, tom: the networks, on any device.
        extra: anything JSON can hold that should be kept with the weights, such as the step and the seed.
        dtype: number format on disk, such as ``torch.float16`` for half the size; None for the weights' own. They are
            read back as float32.

    Returns:
        The folder.

    Raises:
        InputError: ``extra`` cannot be written as JSON.
        OutputError: the folder cannot be written. What was there before is then still whole.
    """
    folder = Path(folder).expanduser()
    data = {name: _to_bytes(network, dtype) for name, network in (("gmm", gmm), ("tom", tom))}
    text = _describe(gmm, tom, extra, {f"{name}.safetensors": _sha256(d) for name, d in data.items()})
    # Everything is on the disk before the first file gets its name, and the names are given from the
    # innermost outwards: weights first, the description last.
    with (
        atomic_path(folder / CONFIG_FILE) as config_path,
        atomic_path(folder / "tom.safetensors") as tom_path,
        atomic_path(folder / "gmm.safetensors") as gmm_path,
    ):
        config_path.write_text(text, encoding="utf-8")
        tom_path.write_bytes(data["tom"])
        gmm_path.write_bytes(data["gmm"])
    return folder


def load_checkpoint(path: str | os.PathLike) -> Checkpoint:
    """Read a checkpoint: a folder written by :func:`save_checkpoint`, or a .pth file.

    Returns:
        The networks on the CPU in evaluation mode, and the facts saved with them.

    Raises:
        InputError: something is missing, damaged, or does not belong together; one sentence says what.
    """
    path = Path(path).expanduser()
    if not os.path.exists(path):  # unlike Path.exists, False also where looking is not allowed
        raise InputError(f"{path} does not exist here: give a checkpoint folder or a .pth file.")
    if not os.path.isdir(path):
        return load_pth(path)
    description = _read_description(path / CONFIG_FILE)
    built = {}
    for name, (network, config) in _NETWORKS.items():
        file = path / f"{name}.safetensors"
        data = _read(file)
        if _sha256(data) != description["files"].get(file.name):
            raise InputError(
                f"{file} is damaged or from another save than {CONFIG_FILE}: "
                "copy the whole checkpoint folder again, or save it again."
            )
        try:
            state = safetensors.torch.load(data)
        except safetensors.SafetensorError as error:
            raise InputError(f"{file} is not a safetensors file: copy or save it again.") from error
        built[name] = _build(network, [_restore_config(config, description[name], path)], state, file)
    return Checkpoint(built["gmm"], built["tom"], description["extra"])


def save_pth(path: str | os.PathLike, gmm: GMM, tom: TryOnSynthesizer) -> Path:
    """Write both networks into one file that ``torch.load`` reads: {"gmm": state_dict, "tom": state_dict}.

    A third entry, "config", tells how they are built, where that is not the default.

    Raises:
        OutputError: the file cannot be written.
    """
    path = Path(path).expanduser()
    content: dict[str, Any] = {"gmm": _weights(gmm), "tom": _weights(tom)}
    if (gmm.config, tom.config) != (GMMConfig(), SynthesizerConfig()):
        content["config"] = {"gmm": dataclasses.asdict(gmm.config), "tom": dataclasses.asdict(tom.config)}
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())
    return path


def load_pth(path: str | os.PathLike) -> Checkpoint:
    """Read {"gmm": state_dict, "tom": state_dict}, written by :func:`save_pth` or by plain ``torch.save``.

    A file that does not tell how its networks are built is tried with the default and with the product's
    configuration.

    Raises:
        InputError: the file is missing, damaged, holds more than weights, or the weights of other networks.
    """
    path = Path(path).expanduser()
    try:
        # From memory: a lazily mapped file would change under the weights when it is replaced.
        content = torch.load(io.BytesIO(_read(path)), map_location="cpu", weights_only=True)
    except InputError:
        raise
    except Exception as error:  # a damaged file can fail in any layer: zip, pickle or tensor
        raise InputError(
            f"{path} is damaged, not a checkpoint, or holds more than weights: copy or save it again."
        ) from error
    if not isinstance(content, dict) or not all(isinstance(content.get(n), dict) for n in _NETWORKS):
        raise InputError(f"{path} is not a try-on checkpoint: it must hold a 'gmm' and a 'tom' state dict.")
    configs = content.get("config")
    built = {}
    for name, (network, config_class) in _NETWORKS.items():
        state = content[name]
        if isinstance(configs, dict):
            candidates = [_restore_config(config_class, configs.get(name), path)]
        else:
            candidates = [config_class(), config_class.product()]
        built[name] = _build(network, candidates, state, path)
    return Checkpoint(built["gmm"], built["tom"])


# Writing ------------------------------------------------------------------------------------------


def _weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}


def _to_bytes(network: nn.Module, dtype: torch.dtype | None) -> bytes:
    weights = _weights(network)
    if dtype is not None:
        weights = {name: t.to(dtype) if t.is_floating_point() else t for name, t in weights.items()}
    return safetensors.torch.save(weights, metadata={"format": "pt"})


def _describe(gmm: GMM, tom: TryOnSynthesizer, extra: Mapping[str, Any] | None, files: dict[str, str]) -> str:
    description = {
        "format": FORMAT,
        "package": f"vto_utils {__version__}",
        "torch": torch.__version__,
        "gmm": dataclasses.asdict(gmm.config),
        "tom": dataclasses.asdict(tom.config),
        "files": files,
        "extra": dict(extra or {}),
    }
    try:
        return json.dumps(description, indent=2) + "\n"
    except (TypeError, ValueError) as error:
        raise InputError(f"extra cannot be written as JSON ({error}): use numbers and texts.") from error


# Reading ------------------------------------------------------------------------------------------


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} is missing: copy the whole checkpoint again, or train one.") from None
    except OSError as error:
        raise InputError(f"{path} could not be read ({error.strerror or error}): check the file.") from error


def _read_description(path: Path) -> dict[str, Any]:
    damaged = InputError(f"{path} is damaged: copy the whole checkpoint folder again, or save it again.")
    try:
        description = json.loads(_read(path))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise damaged from error
    number = description.get("format") if isinstance(description, dict) else None
    if not isinstance(number, int):
        raise damaged
    if number > FORMAT:
        raise InputError(f"{path} was written by a newer version ({description.get('package')}): update vto_utils.")
    if not all(isinstance(description.get(key), dict) for key in ("gmm", "tom", "files", "extra")):
        raise damaged
    return description


def _restore_config(config_class: type, values: Any, path: Path) -> Any:
    try:
        return config_class(**values)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{path} describes a network this version cannot build ({error}): use the version that saved it."
        ) from error


def _build(network: type, configs: Sequence[Any], state: Mapping[str, Any], path: Path) -> Any:
    """The network of the first configuration that ``state`` fills exactly, with these weights."""
    problems = []
    for config in configs:
        # Fresh weights are drawn only to be replaced: that must not move the caller's random numbers.
        with torch.random.fork_rng(devices=[]):
            model = network(config)
        problems.append(_difference(model.state_dict(), state))
        if not problems[-1]:
            model.load_state_dict(state)
            return model.eval()
    raise InputError(f"The weights in {path} do not fit {network.__name__}: {problems[0]}.")


def _difference(expected: Mapping[str, Tensor], state: Mapping[str, Any]) -> str:
    """The first reason why ``state`` does not fill ``expected``; "" when it does."""
    for name, tensor in expected.items():
        if name not in state:
            return f"{name} is missing"
        if not isinstance(state[name], Tensor):
            return f"{name} is not a tensor"
        if state[name].shape != tensor.shape:
            return f"{name} has the shape {list(state[name].shape)} instead of {list(tensor.shape)}"
    extra = [str(name) for name in state if name not in expected]
    return f"{extra[0]} is not one of its weights" if extra else ""
