"""Numbered jobs done by several processes, each of which prepares itself once.

The processes are spawned, not forked: that works on every system and in notebooks, and nothing of the starting
process leaks into them. Each computes with a single thread, so results do not depend on how many there are.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from ..runtime import reuse_memory

#: Read by numerical libraries when they are first imported.
SINGLE_THREAD: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS"),
        "1",
    )
)


class Job(Protocol):
    """What a worker does: made once in each worker, then called with one number after the other."""

    def hello(self) -> Any:
        """What there is to say before the first call."""

    def __call__(self, number: int) -> Any:
        """Do one piece of work."""

    def summary(self) -> Any:
        """What there is to say after the last call."""


@dataclass(frozen=True)
class Ready:
    """A worker is prepared, and says ``hello``. No work is given to it before the next event is asked for."""

    hello: Any


@dataclass(frozen=True)
class Done:
    """One piece of work is done."""

    number: int
    result: Any


@dataclass(frozen=True)
class Ended:
    """A worker has finished its last piece of work."""

    summary: Any


class WorkError(Exception):
    """A piece of work failed.

    Attributes:
        number: of the piece; None while the worker was getting ready or ending.
        error: what went wrong; None when the process died without a word.
        exit_code: of the process that died.
        cause: where it went wrong, if that was in another process.
    """

    def __init__(
        self,
        number: int | None,
        error: BaseException | None,
        exit_code: int | None = None,
        cause: RemoteError | None = None,
    ) -> None:
        what = f"the process died (exit code {exit_code})" if error is None else f"{type(error).__name__}: {error}"
        super().__init__(f"{'getting ready' if number is None else f'number {number}'}: {what}")
        self.number, self.error, self.exit_code, self.cause = number, error, exit_code, cause

    def __reduce__(self) -> tuple:
        return WorkError, (self.number, self.error, self.exit_code, self.cause)


class RemoteError(Exception):
    """Where an error of another process happened: its text is the traceback there."""


def work(
    make: Callable[..., Job], arguments: tuple, numbers: Iterable[int], workers: int
) -> Iterator[Ready | Done | Ended]:
    """Do the work and tell of it as it happens; closing the iterator ends the processes.

    Args:
        make: ``make(*arguments)`` is called in each worker and gives its job; must be importable there.
        arguments: for ``make``; must be picklable.
        numbers: what the jobs are called with, given out in this order.
        workers: number of processes; 0 works in this one.

    Raises:
        WorkError: a piece of work failed or a process died. The others are ended at once.
    """
    if workers == 0:
        yield from _work_here(make, arguments, numbers)
        return
    crew: list[tuple[Any, Any]] = []
    try:
        for _ in range(workers):
            crew.append(_start(make, arguments))
        yield from _conduct(crew, iter(numbers))
        for process, _ in crew:
            process.join(10)
    finally:
        for process, connection in crew:
            connection.close()
            process.terminate()
        for process, _ in crew:
            process.join()


def _conduct(crew: list[tuple[Any, Any]], numbers: Iterator[int]) -> Iterator[Ready | Done | Ended]:
    processes = {connection: process for process, connection in crew}
    busy: dict[Any, int | None] = dict.fromkeys(processes)
    while busy:
        for connection in multiprocessing.connection.wait(list(busy)):
            number = busy[connection]
            try:
                event = connection.recv()
            except (EOFError, OSError):
                processes[connection].join()
                raise WorkError(number, None, processes[connection].exitcode) from None
            if isinstance(event, WorkError):
                event.error.__cause__ = event.cause
                raise event from event.error
            yield event
            if isinstance(event, Ended):
                del busy[connection]
                continue
            busy[connection] = next(numbers, None)
            with contextlib.suppress(OSError):  # if it has died meanwhile, the next reading tells
                connection.send(busy[connection])


def _start(make: Callable[..., Job], arguments: tuple) -> tuple[Any, Any]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, make, arguments), daemon=True)
    with _environment(SINGLE_THREAD), _interrupts_ignored():
        process.start()
    there.close()  # so that its end is noticed here
    return process, here


def _serve(connection: Any, make: Callable[..., Job], arguments: tuple) -> None:
    """What a worker does: answer numbers by results until it is told None, or nobody is there any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the first one decides
    number = None
    try:
        one_thread()
        job = make(*arguments)
        connection.send(Ready(job.hello()))
        while (number := connection.recv()) is not None:
            connection.send(Done(number, job(number)))
        connection.send(Ended(job.summary()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except BaseException as error:
        with contextlib.suppress(OSError):
            text = "".join(traceback.format_exception(error))
            connection.send(WorkError(number, _sendable(error), cause=RemoteError(text)))


def _work_here(make: Callable[..., Job], arguments: tuple, numbers: Iterable[int]) -> Iterator[Ready | Done | Ended]:
    number = None
    with _threads_kept():
        try:
            one_thread()
            job = make(*arguments)
            yield Ready(job.hello())
            for number in numbers:
                yield Done(number, job(number))
            number = None
            yield Ended(job.summary())
        except Exception as error:
            raise WorkError(number, error) from error


def _sendable(error: BaseException) -> BaseException:
    try:
        copy = pickle.loads(pickle.dumps(error))
        if str(copy) == str(error):
            return error
    except Exception:  # an error may be made of anything
        pass
    return RuntimeError(f"{type(error).__name__}: {error}")


def parent_is_gone() -> bool:
    """Whether this is a worker whose starting process has ended."""
    parent = multiprocessing.parent_process()
    return parent is not None and not parent.is_alive()


# Threads and signals --------------------------------------------------------------------------------


def one_thread() -> None:
    """Settle this process for making samples: one thread, and memory kept from sample to sample."""
    import cv2

    reuse_memory()
    cv2.setNumThreads(0)  # none besides the calling one; 1 would wait for threads that a fork has left behind
    numba = sys.modules.get("numba")  # imported later, it reads the environment
    if numba is not None:
        numba.set_num_threads(1)


@contextlib.contextmanager
def _threads_kept() -> Iterator[None]:
    import cv2

    numba = sys.modules.get("numba")
    before = cv2.getNumThreads(), numba and numba.get_num_threads()
    try:
        yield
    finally:
        cv2.setNumThreads(before[0])
        if numba is not None:
            numba.set_num_threads(before[1])


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Processes started within are born deaf to Ctrl-C, so that they have no time to complain of it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
