"""Arrays made once, however many threads ask for them, and kept within a bound of memory."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

_Array = TypeVar("_Array", bound=NDArray[np.generic])


class Keep(Generic[_Array]):
    """Makes the array of a key once and forgets the least recently used beyond `limit_bytes`."""

    def __init__(self, limit_bytes: int, *, timeout_s: float = 120.0) -> None:
        self.limit_bytes = limit_bytes
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._promised: OrderedDict[Hashable, Future[_Array]] = OrderedDict()

    @property
    def held_bytes(self) -> int:
        """Bytes of all arrays that are finished and kept."""
        with self._lock:
            return sum(_size_bytes(promise) for promise in self._promised.values())

    def get(self, key: Hashable, make: Callable[[], _Array]) -> _Array:
        """The array of `key`; the first to ask makes it, others wait for it.

        Raises:
            TimeoutError: another thread has not finished making it in time.
        """
        with self._lock:
            promise = self._promised.get(key)
            mine = promise is None
            if promise is None:
                promise = self._promised[key] = Future()
            self._promised.move_to_end(key)
        if mine:
            self._fulfil(key, promise, make)
        return promise.result(timeout=self._timeout_s)

    def _fulfil(self, key: Hashable, promise: Future[_Array], make: Callable[[], _Array]) -> None:
        try:
            promise.set_result(make())
        except BaseException as failure:
            # Forgotten, so that the next to ask tries again; whoever waits now gets the failure.
            with self._lock:
                del self._promised[key]
            promise.set_exception(failure)
            raise
        self._forget_beyond_limit(newest=key)

    def _forget_beyond_limit(self, *, newest: Hashable) -> None:
        with self._lock:
            held = sum(_size_bytes(promise) for promise in self._promised.values())
            for key in list(self._promised):
                if held <= self.limit_bytes:
                    return
                size = _size_bytes(self._promised[key])
                if size and key != newest:
                    del self._promised[key]
                    held -= size


def _size_bytes(promise: Future[_Array]) -> int:
    return promise.result().nbytes if promise.done() and promise.exception() is None else 0
