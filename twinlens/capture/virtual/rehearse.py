"""The virtual rig in a process of its own, for as long as a capture beside it lasts."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from twinlens.capture.virtual.camera_settings import VirtualCameraSettings
from twinlens.capture.virtual.faults import Faults
from twinlens.capture.virtual.loop import LoopSettings, LoopSource
from twinlens.capture.virtual.scenery import folder_scenery
from twinlens.capture.virtual.serve import DEFAULT_ADDRESSES, DEFAULT_SERIALS, serve_rig
from twinlens.capture.virtual.source import ImageSource
from twinlens.capture.virtual.twin import RigTwin, TwinSettings
from twinlens.errors import CaptureError, TwinlensError

DEVICES_VARIABLE = "TWINLENS_GEV_DEVICES"
BROADCAST_VARIABLE = "TWINLENS_GEV_BROADCAST"
READY_TIMEOUT_S = 900.0
"""Rendering 16 scenes at full size takes about a minute on one core."""


def make_twin(settings: TwinSettings, scenes: Path | None = None) -> RigTwin:
    """A twin that looks at the photographs in `scenes`, or at the bundled scenes.

    Raises:
        CaptureError: the folder holds no usable photograph.
    """
    return RigTwin(settings, scenes=folder_scenery(scenes) if scenes is not None else None)


def render_ahead(twin: RigTwin, scene_limit: int | None = None) -> int:
    """Render the first `scene_limit` scenes, or as many as the twin keeps; how many that is.

    No trigger then waits for a scene to be rendered.
    """
    height, width = twin.shape_hw
    scene_bytes = 2 * height * width * (1 + len(twin.mirror_states))
    count = min(
        scene_limit or len(twin.scene_names),
        len(twin.scene_names),
        (twin.settings.memory_mib << 20) // scene_bytes,
    )
    twin.prerender(range(count))
    return count


def make_views(
    settings: TwinSettings | LoopSettings,
    scenes: Path | None = None,
    *,
    scene_limit: int | None = None,
    on_twin: Callable[[RigTwin], None] = lambda _twin: None,
) -> tuple[ImageSource, ImageSource]:
    """What camera A and camera B look at, ready to be served.

    `on_twin` is called before the twin's first `scene_limit` scenes are rendered.

    Raises:
        CaptureError: the folder `scenes` holds no usable photograph.
    """
    if isinstance(settings, LoopSettings):
        return LoopSource(settings, role="a"), LoopSource(settings, role="b")
    twin = make_twin(settings, scenes)
    on_twin(twin)
    render_ahead(twin, scene_limit)
    return twin.view("a"), twin.view("b")


@contextmanager
def virtual_rig(  # noqa: PLR0913 - one keyword for each thing on the bench
    source: TwinSettings | LoopSettings | None,
    scenes: Path | None = None,
    *,
    addresses: Sequence[str] = DEFAULT_ADDRESSES,
    serials: Sequence[str] = DEFAULT_SERIALS,
    scene_limit: int | None = None,
    settings: tuple[VirtualCameraSettings, VirtualCameraSettings] | None = None,
    faults: tuple[Faults, Faults] | None = None,
    pulses_hz: float = 0.0,
    chained: bool = False,
    logs: tuple[Path, Path] | None = None,
) -> Iterator[None]:
    """Serve two virtual cameras from another process until the context ends; then their logs are complete.

    They look at a twin, of which the first `scene_limit` scenes are rendered ahead, all that fit into memory by
    default; with `LoopSettings` or None at a few cheap frames in turn. The other keywords are `serve_rig`'s.
    Meanwhile the bundled producer looks for cameras at their addresses only.

    Raises:
        TwinlensError: the cameras could not start.
    """
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    serve = partial(
        serve_rig,
        addresses=tuple(addresses),
        serials=tuple(serials),
        settings=settings,
        faults=faults,
        pulses_hz=pulses_hz,
        chained=chained,
        logs=logs,
    )
    look = partial(make_views, source or LoopSettings(), scenes, scene_limit=scene_limit)
    process = context.Process(target=_serve_process, args=(far, look, serve), name="virtual-rig", daemon=True)
    process.start()
    far.close()
    try:
        _await_ready(near)
        with _listed(addresses):
            yield
    finally:
        near.close()  # the process sees the end of the pipe and leaves
        process.join(10.0)
        if process.is_alive():
            process.kill()
            process.join()


@contextmanager
def _listed(addresses: Sequence[str]) -> Iterator[None]:
    only_these = {DEVICES_VARIABLE: ",".join(addresses), BROADCAST_VARIABLE: "0"}
    before = {name: os.environ.get(name) for name in only_these}
    os.environ.update(only_these)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _await_ready(near: Connection) -> None:
    if not near.poll(READY_TIMEOUT_S):
        raise CaptureError(f"the virtual rig was not ready after {READY_TIMEOUT_S:.0f} s", hint="free some memory")
    try:
        answer = near.recv()
    except EOFError as cause:
        raise CaptureError(
            "the virtual rig's process ended before it was ready", hint="its log says why"
        ) from cause
    if isinstance(answer, TwinlensError):
        raise answer


def _serve_process(
    far: Connection, look: Callable[[], tuple[ImageSource, ImageSource]], serve: Callable[..., None]
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: its cameras must still answer
    stop, rendered = threading.Event(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())  # the logs must be written first
    threading.Thread(target=_stop_at_end_of_pipe, args=(far, stop, rendered), daemon=True).start()
    try:
        views = look()
        rendered.set()
        serve(views, stop, on_ready=lambda: far.send("ready"))
    except TwinlensError as error:
        far.send(error)


def _stop_at_end_of_pipe(far: Connection, stop: threading.Event, rendered: threading.Event) -> None:
    try:
        far.recv()
    except (EOFError, OSError):
        if not rendered.is_set():
            os._exit(0)  # nobody waits for the rest of the scenes
        stop.set()
