"""Where independent tasks run (here, in several processes, on Ray); answers come as they are ready."""

import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from multiprocessing import connection, get_context, parent_process
from typing import Any, Protocol, TypeVar, runtime_checkable

from twinlens.errors import DatasetError

Task = TypeVar("Task")
Answer = TypeVar("Answer")

ANSWER_S = 10.0
"""For a cluster's head to take a connection."""
RAY_RETRIES = 5
"""How often a task starts again after the node it ran on was lost."""


@runtime_checkable
class Engine(Protocol):
    """Runs a pure function of picklable tasks and answers."""

    def __call__(self, run: Callable[[Task], Answer], tasks: Sequence[Task]) -> Iterator[Answer]:
        """Every answer once, in any order."""
        ...


def in_this_process(run: Callable[[Task], Answer], tasks: Sequence[Task]) -> Iterator[Answer]:
    """One task after the other."""
    return map(run, tasks)


def in_processes(jobs: int) -> Engine:
    """`jobs` processes on this machine, with one thread each; 1 is this process itself.

    Raises, when run:
        DatasetError: a process was killed, as the kernel does when memory runs out.
    """
    if jobs < 1:
        raise ValueError(f"jobs is {jobs}; at least 1 is needed")
    if jobs == 1:
        return in_this_process

    def engine(run: Callable[[Task], Answer], tasks: Sequence[Task]) -> Iterator[Answer]:
        workers = min(jobs, max(1, len(tasks)))
        # Spawned, not forked: OpenCV's and HDF5's locks must not be copied while another thread holds them.
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin_worker) as pool:
            futures = [pool.submit(run, task) for task in tasks]
            try:
                for future in as_completed(futures):
                    yield future.result()
            except BrokenProcessPool as cause:
                raise DatasetError(
                    f"one of {workers} processes was killed, perhaps for memory",
                    hint="run the same command again with fewer --jobs: what was done is kept",
                ) from cause
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    return engine


def on_ray(address: str) -> Engine:
    """A Ray cluster, such as "auto" or "ray://head:10001"; every node must see the same folders.

    A task whose node is lost runs again on another.

    Raises, when run:
        DatasetError: ray is not installed, no cluster answers, or a task's nodes were lost too often.
    """

    def engine(run: Callable[[Task], Answer], tasks: Sequence[Task]) -> Iterator[Answer]:
        ray = _ray()
        was_connected = ray.is_initialized()
        if not was_connected:
            try:
                _require_answer(address)
                ray.init(address=address, log_to_driver=False)
            except (OSError, ValueError, RuntimeError) as cause:
                raise DatasetError(
                    f"no Ray cluster answers at {address}: {cause}",
                    hint="start one with `ray start --head`, or leave --ray out",
                ) from cause
        try:
            remote = ray.remote(max_retries=RAY_RETRIES, num_cpus=1)(run)
            waiting = [remote.remote(task) for task in tasks]
            while waiting:
                ready, waiting = ray.wait(waiting, num_returns=1)
                yield ray.get(ready[0])
        except ray.exceptions.WorkerCrashedError as cause:
            raise DatasetError(
                f"a task was lost {RAY_RETRIES + 1} times with its node",
                hint="look at the nodes' memory and run the same command again: what was done is kept",
            ) from cause
        finally:
            if not was_connected:
                ray.shutdown()

    return engine


def _require_answer(address: str) -> None:
    """Raise `OSError` where nobody listens at HOST:PORT; Ray itself would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=ANSWER_S).close()


def _ray() -> Any:
    try:
        return import_module("ray")
    except ModuleNotFoundError as cause:
        raise DatasetError(
            "tasks were to run on a Ray cluster, and ray is not installed", hint="pip install 'twinlens[ray]'"
        ) from cause


def _begin_worker() -> None:
    import cv2  # noqa: PLC0415 - only workers need it

    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that is killed cannot tell its workers, which would wait for tasks for ever."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
