"""What a GenTL producer says about itself and its cameras, asked in a process of its own.

A vendor's library may crash or hang; the process that asks then ends, and the one that wants to know goes on.
"""

import ctypes
import multiprocessing
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from twinlens.errors import CaptureError, TwinlensError

_TL_VENDOR, _TL_VERSION = 1, 3
"""TL_INFO_CMD values of the GenTL standard."""


@dataclass(frozen=True, slots=True)
class ProducerFacts:
    """One producer that loads."""

    path: str
    vendor: str
    version: str
    serials: tuple[str, ...]
    """Serial numbers of the cameras it lists."""


def ask_producer(path: Path, *, timeout_s: float = 30.0) -> ProducerFacts:
    """Load a producer in another process and ask for its version and cameras.

    Raises:
        TwinlensError: what the producer or its loader said; or it crashed, or did not answer in time.
    """
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    process = context.Process(target=_answer, args=(far, path), name="producer-probe", daemon=True)
    process.start()
    far.close()
    try:
        answer = near.recv() if near.poll(timeout_s) else None
    except EOFError as cause:
        process.join(5.0)
        raise CaptureError(
            f"{path.name} crashed while it looked for cameras (exit code {process.exitcode})",
            hint="install the vendor's whole SDK anew, or leave `producer` empty for the bundled one",
        ) from cause
    finally:
        near.close()
        process.join(1.0)
        if process.is_alive():
            process.kill()
            process.join()
    if answer is None:
        raise CaptureError(
            f"{path.name} did not list its cameras within {timeout_s:.0f} s",
            hint="unplug other cameras and try again",
        )
    if isinstance(answer, TwinlensError):
        raise answer
    if not isinstance(answer, ProducerFacts):
        raise CaptureError(f"{path.name} answered {answer!r}")
    return answer


def _answer(far: Connection, path: Path) -> None:
    from twinlens.capture.genicam import Producer  # noqa: PLC0415 - harvesters is loaded in this process only

    try:
        vendor, version = _library_facts(path)
        with Producer(path) as producer:
            serials = tuple(info.serial for info in producer.cameras())
        far.send(ProducerFacts(str(path), vendor, version, serials))
    except TwinlensError as error:
        with suppress(OSError):  # nobody waits any longer
            far.send(error)


def _library_facts(path: Path) -> tuple[str, str]:
    """(vendor, version) as the library itself says, empty where it does not."""
    library = ctypes.CDLL(str(path.resolve()))
    library.GCInitLib()
    try:
        return _text(library, _TL_VENDOR), _text(library, _TL_VERSION)
    finally:
        library.GCCloseLib()


def _text(library: ctypes.CDLL, what: int) -> str:
    kind, size = ctypes.c_int32(), ctypes.c_size_t(256)
    buffer = ctypes.create_string_buffer(size.value)
    status = library.GCGetInfo(ctypes.c_int32(what), ctypes.byref(kind), buffer, ctypes.byref(size))
    return buffer.value.decode("utf-8", "replace") if status == 0 else ""
