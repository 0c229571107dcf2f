"""What is made once, shared between threads, and forgotten in time."""

import threading

import numpy as np
import pytest

from twinlens.capture.virtual.keep import Keep


def test_threads_that_ask_at_once_share_one_making() -> None:
    keep: Keep[np.ndarray] = Keep(1000)
    made: list[int] = []
    results: list[np.ndarray] = []
    release = threading.Event()

    def make() -> np.ndarray:
        made.append(1)
        assert release.wait(timeout=10)
        return np.zeros(10)

    threads = [threading.Thread(target=lambda: results.append(keep.get("key", make))) for _ in range(4)]
    for thread in threads:
        thread.start()
    release.set()
    for thread in threads:
        thread.join(timeout=10)
    assert len(made) == 1
    assert len(results) == 4
    assert all(result is results[0] for result in results)


def test_a_failure_reaches_the_caller_and_is_not_kept() -> None:
    keep: Keep[np.ndarray] = Keep(1000)

    def fail() -> np.ndarray:
        raise OSError("no such photograph")

    with pytest.raises(OSError, match="no such photograph"):
        keep.get("key", fail)
    assert keep.get("key", lambda: np.ones(3)).sum() == 3


def test_the_least_recently_used_is_forgotten_first() -> None:
    keep: Keep[np.ndarray] = Keep(2 * 80)
    made = []

    def ask(key: str) -> None:
        keep.get(key, lambda: (made.append(key), np.zeros(10))[1])

    for key in "abaca":
        ask(key)
    assert made == ["a", "b", "c"]
    assert keep.held_bytes == 160
    ask("b")
    assert made == ["a", "b", "c", "b"]
