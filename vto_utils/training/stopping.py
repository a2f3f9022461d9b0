"""Ending a run between two steps, when somebody asks for it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def stop_requests(event: threading.Event | None = None) -> Iterator[threading.Event]:
    """An event that Ctrl-C or a request to end (SIGTERM) sets, so that a step is never left half done.

    The second Ctrl-C is an ordinary one. Outside the main thread, where signals cannot be caught, all are.

    Args:
        event: the one to set, where somebody else may set it too; a new one if None.
    """
    stop, old = threading.Event() if event is None else event, {}

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            old[number] = signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
