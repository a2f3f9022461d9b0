"""A run's folder: what is in it, and how it is written so that a run killed at any moment can go on.

    config.json                    what was asked for
    log.jsonl                      one line a step, and one a validation
    checkpoints/00001234.pt        the last three: everything the next step depends on
    pictures/00001234.png          sample grids
    last/, best/                   networks to use: gmm.safetensors, tom.safetensors, config.json, float16

Files are written beside their names and renamed, so none is ever half there. ``best`` is the validation's choice within
the stage that ran last.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ..checkpoints import save_checkpoint
from ..errors import InputError
from ..files import atomic_path
from .config import TrainConfig
from .stages import Networks

FORMAT = 1
CONFIG, LOG, CHECKPOINTS, PICTURES = "config.json", "log.jsonl", "checkpoints", "pictures"


class RunFolder:
    """The files of a run.

    Args:
        path: the folder, made when the first file is written.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path).expanduser()

    # The description ----------------------------------------------------------------------------------

    def describe(self, config: TrainConfig, sources: Sequence[str]) -> None:
        """Write down what was asked for."""
        description = {"format": FORMAT, "data": list(sources), "config": config.to_dict()}
        with atomic_path(self.path / CONFIG) as path:
            path.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")

    def description(self) -> tuple[TrainConfig, list[str]] | None:
        """What :meth:`describe` wrote; None where there is nothing.

        Raises:
            InputError: the file is damaged or no run's.
        """
        path = self.path / CONFIG
        if not path.is_file():
            return None
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return TrainConfig.of(found["config"]), [str(source) for source in found["data"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} is damaged or not of a training ({error}): use another folder.") from error

    # Checkpoints --------------------------------------------------------------------------------------

    def checkpoints(self) -> list[Path]:
        """Oldest first. What a killed process was writing has a name that begins with a dot."""
        return sorted((self.path / CHECKPOINTS).glob("[0-9]*.pt"))

    def save(self, state: Mapping[str, Any], step: int, keep: int) -> Path:
        """Write a checkpoint; all but the last ``keep`` go, and what killed processes left behind."""
        path = self.path / CHECKPOINTS / f"{step:08d}.pt"
        with atomic_path(path) as temporary:
            torch.save({"format": FORMAT, **state}, temporary)
        for old in [*self.checkpoints()[:-keep], *path.parent.glob(".*.pt")]:
            old.unlink(missing_ok=True)
        return path

    def load(self) -> dict[str, Any] | None:
        """The newest whole checkpoint, on the CPU; None where there is none.

        Raises:
            InputError: there are checkpoints, and all of them are damaged.
        """
        found = self.checkpoints()
        for path in reversed(found):
            try:
                state = torch.load(path, map_location="cpu", weights_only=True)
                if state["format"] == FORMAT:
                    return state
            except Exception:  # a damaged file can fail in any layer: zip, pickle or tensor
                continue
        if found:
            raise InputError(f"No checkpoint in {found[0].parent} can be read: begin again in another folder.")
        return None

    # The log ------------------------------------------------------------------------------------------

    def log(self, line: Mapping[str, Any]) -> None:
        """Add a line; it is on the disk's way when this returns."""
        self.path.mkdir(parents=True, exist_ok=True)
        with open(self.path / LOG, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def lines(self) -> list[dict[str, Any]]:
        """All lines; one that was being written when the run was killed is left out."""
        path, result = self.path / LOG, []
        for text in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict) and "step" in line:
                result.append(line)
        return result

    def cut_log(self, step: int, measured: bool = True) -> None:
        """Drop the lines of what is done again: steps after this one and, if not ``measured``, its validation."""
        done = step if measured else step - 1
        kept = [line for line in self.lines() if line["step"] <= (done if "validation" in line else step)]
        with atomic_path(self.path / LOG) as path:
            path.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")

    # Networks to use ----------------------------------------------------------------------------------

    def ship(self, name: str, networks: Networks, facts: Mapping[str, Any]) -> Path:
        """Write networks for use, in float16: half the size, and a try-on sees no difference."""
        return save_checkpoint(self.path / name, networks.gmm, networks.tom, extra=facts, dtype=torch.float16)

    def picture(self, step: int) -> Path:
        """Where a sample grid goes."""
        return self.path / PICTURES / f"{step:08d}.png"
