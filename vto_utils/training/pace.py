"""How fast a run goes, and how long it will take."""

from __future__ import annotations

import statistics
from collections import deque
from typing import TYPE_CHECKING

from .config import TrainConfig

if TYPE_CHECKING:
    from .loop import Step

_WINDOW = 30  # steps that the throughput is taken from


class Pace:
    """Throughput, and the time that is left.

    Stages that have not begun are taken to cost what this one costs for each pixel of each sample.

    Args:
        config: of the run.
    """

    def __init__(self, config: TrainConfig) -> None:
        self._config = config
        self._stage = -1
        self._seconds: deque[float] = deque(maxlen=_WINDOW)

    def after(self, step: Step) -> tuple[float, float]:
        """Samples a second, and seconds to the last step."""
        if step.stage != self._stage:
            self._stage = step.stage
            self._seconds.clear()
        elif len(self._seconds) == 1:
            self._seconds.clear()  # the first step of a stage starts the workers and warms everything up
        self._seconds.append(step.seconds)
        seconds = max(statistics.fmean(self._seconds), 1e-9)
        stages = self._config.stages
        now = stages[step.stage]
        samples = now.batch * now.accumulate
        before = sum(stage.steps for stage in stages[: step.stage])
        left = (now.steps - (step.step - before)) * seconds
        for stage in stages[step.stage + 1 :]:
            larger = stage.batch * stage.accumulate * stage.size[0] * stage.size[1]
            left += stage.steps * seconds * larger / (samples * now.size[0] * now.size[1])
        return samples / seconds, left
