"""One process or many. Many are started by ``accelerate launch``, one per GPU, and need Hugging Face Accelerate."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..runtime import Choice, pick_device


class Processes:
    """The processes of a run as seen from one of them. Without Accelerate there is one.

    Every process holds the whole networks and computes its part of a step; gradients are averaged once for each step.
    So they are the gradients of one process with all the samples, up to the order of additions.

    Args:
        device: "auto", "cpu", "cuda" or "mps".

    Attributes:
        rank, world: number of this process, and of all.
        device: torch's name of this process's device.
        reason: why that device.

    Raises:
        InputError: the device is not here, or there are several processes and no Accelerate.
    """

    def __init__(self, device: str = "auto") -> None:
        choice = pick_device(device)
        self._accelerator: Any = None
        self.rank, self.world = 0, 1
        self.device, self.reason = str(choice.value), choice.reason
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            self._join(choice)

    def _join(self, choice: Choice) -> None:
        try:
            from accelerate import Accelerator
        except ModuleNotFoundError:
            raise InputError(
                "This is one of several processes, which work together by Accelerate: run `pip install accelerate`."
            ) from None
        self._accelerator = Accelerator(cpu=choice.value == "cpu")
        self.rank, self.world = self._accelerator.process_index, self._accelerator.num_processes
        self.device = str(self._accelerator.device)
        self.reason = f"{choice.reason}, process {self.rank + 1} of {self.world}"

    @property
    def kind(self) -> str:
        """Kind of the device: "cpu", "cuda" or "mps"."""
        return self.device.partition(":")[0]

    @property
    def main(self) -> bool:
        """This one writes files and speaks."""
        return self.rank == 0

    def wait(self) -> None:
        """For all others to come here too."""
        if self._accelerator is not None:
            self._accelerator.wait_for_everyone()

    def mean(self, values: Tensor) -> Tensor:
        """Mean over the processes, the same in all."""
        return values if self._accelerator is None else self._accelerator.reduce(values, "mean")

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes: one message for all of them."""
        if self._accelerator is None:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        if not gradients:
            return
        together = self.mean(torch.cat([g.flatten() for g in gradients]))
        for gradient, mean in zip(gradients, together.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))

    def close(self) -> None:
        """Leave the others."""
        if self._accelerator is not None:
            self._accelerator.end_training()
            if torch.distributed.is_initialized():
                torch.distributed.destroy_process_group()


@contextlib.contextmanager
def shared_cores(device: str, workers: int) -> Iterator[None]:
    """Within the block, torch leaves a processor core to each worker process.

    Threads that wait for each other spin: one more than there are cores and all become slower than one alone. Where the
    user chose their number (OMP_NUM_THREADS) it stays.
    """
    before = torch.get_num_threads()
    chosen = device != "cpu" or "OMP_NUM_THREADS" in os.environ
    with contextlib.ExitStack() as stack:
        if not chosen:
            torch.set_num_threads(max(1, min(before, (os.cpu_count() or 1) - workers)))
            stack.callback(torch.set_num_threads, before)
        yield
