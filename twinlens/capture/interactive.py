"""Capture by hand: Enter takes the next pairs, r takes the last ones again, n names the next scene, q ends.

Keys come as lines and prompts go out as text, so that a pipe can play the person.
"""

import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import TextIO

from twinlens.capture.frame import MirrorState
from twinlens.capture.plan import Plan, scene_takes
from twinlens.capture.report import Take
from twinlens.errors import SettingsError

KEYS = "Enter takes, r takes the last again, n NAME names the next scene, q ends"
_READ_BYTES = 4096


def interactive_takes(
    plan: Plan,
    lines: Iterator[str | None],
    *,
    say: Callable[[str], None],
    scene: str = "",
    taken_scenes: Sequence[str] = (),
) -> Iterator[Take | None]:
    """Takes as a person asks for them; None while nothing is asked.

    Args:
        lines: what the person types; None while there is nothing, its end ends the session like q.
        say: where prompts go.
        scene: name of the first scenes, until another is given; empty makes each Enter a scene of its own.
        taken_scenes: names that a scene without a name must not get.

    Raises:
        SettingsError: the lines end before anything was taken.
    """
    session = _ByHand(plan, say, scene, taken_scenes)
    say(KEYS)
    session.prompt()
    for line in lines:
        if line is None:
            yield None
            continue
        word, _, rest = line.strip().partition(" ")
        if word == "q":
            return
        if word == "n":
            session.name(rest.strip())
        elif word in ("", "r"):
            yield from session.take(again=word == "r")
        else:
            say(f"{line.strip()!r} means nothing here: {KEYS}")
    if not session.has_taken:
        raise _no_lines()


def typed_lines(stream: TextIO | None) -> Iterator[str | None]:
    """Lines typed into `stream` (standard input); None where no new one is there. It never waits.

    Raises:
        SettingsError: the stream is closed.
    """
    try:
        if stream is None:
            raise _no_lines()
        descriptor = stream.fileno()
        os.fstat(descriptor)
    except (OSError, ValueError) as cause:
        raise _no_lines() from cause
    typed: queue.Queue[str | None] = queue.Queue()
    # Read past the stream's own buffer: a thread that holds its lock would break the interpreter's end.
    threading.Thread(target=_read_lines, args=(descriptor, typed), name="typed-lines", daemon=True).start()
    return _poll(typed)


class _ByHand:
    """Where a session by hand stands: which scene and which step of it come next."""

    def __init__(self, plan: Plan, say: Callable[[str], None], scene: str, taken_scenes: Sequence[str]) -> None:
        self._plan = plan
        self._say = say
        self._keeps_scene = bool(scene)
        self._taken_scenes = set(taken_scenes)
        self._scene = scene or self._new_name()
        by_hand = len(plan.mirror_states) > 1 and not plan.before_each
        self._steps: Sequence[Sequence[MirrorState]] = (
            [(state,) for state in plan.mirror_states] if by_hand else [plan.mirror_states]
        )
        self._step = 0
        self._last: tuple[str, Sequence[MirrorState], int] | None = None
        """Scene, mirror states and number of the takes that r would take again."""

    @property
    def has_taken(self) -> bool:
        return self._last is not None

    def prompt(self) -> None:
        """Say what the next Enter takes."""
        state = ""
        if len(self._steps) > 1:
            state = f", mirror state {self._steps[self._step][0].label} ({self._step + 1} of {len(self._steps)})"
        self._say(f"next: scene {self._scene}{state}")

    def name(self, name: str) -> None:
        """The next scene is called so."""
        if not name:
            self._say("n needs the scene's name after it")
            return
        self._scene, self._step = name, 0
        self.prompt()

    def take(self, *, again: bool) -> Iterator[Take | None]:
        """Take what is next, or the last once more."""
        if again and self._last is None:
            self._say("nothing was taken yet that could be taken again")
            return
        if again and self._last is not None:
            scene, states, replaced = self._last
            self._say(f"again: scene {scene}, mirror state {', '.join(state.label for state in states)}")
        else:
            scene, states, replaced = self._scene, self._steps[self._step], 0
        takes = 0
        for take in scene_takes(self._plan, scene, states, replaces_previous=replaced):
            takes += take is not None
            yield take
        self._last = (scene, states, takes)
        self._taken_scenes.add(scene)
        if not again:
            self._advance()
        self.prompt()

    def _advance(self) -> None:
        self._step = (self._step + 1) % len(self._steps)
        if self._step == 0 and not self._keeps_scene:
            self._scene = self._new_name()

    def _new_name(self) -> str:
        names = (f"scene-{number:03d}" for number in count(1))
        return next(name for name in names if name not in self._taken_scenes)


def _read_lines(descriptor: int, typed: "queue.Queue[str | None]") -> None:
    rest = b""
    while True:
        try:
            block = os.read(descriptor, _READ_BYTES)
        except OSError:  # closed meanwhile: the same as its end
            block = b""
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            typed.put(line.decode(errors="replace"))
        if not block:
            if rest:
                typed.put(rest.decode(errors="replace"))
            typed.put(None)
            return


def _poll(typed: "queue.Queue[str | None]") -> Iterator[str | None]:
    while True:
        try:
            line = typed.get_nowait()
        except queue.Empty:
            yield None
            continue
        if line is None:
            return
        yield line


def _no_lines() -> SettingsError:
    return SettingsError(
        "standard input is closed, and capture by hand reads its keys there",
        hint="run it in a terminal, or say how much to record with --pairs or --duration",
    )
