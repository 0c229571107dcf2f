"""From what a person asks for to takes: how many pairs, how long, in which bursts, mirror states and exposures."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from twinlens.capture.frame import MirrorState
from twinlens.capture.genicam import FeatureValue
from twinlens.capture.manifest import SeriesKind
from twinlens.capture.mirror import set_mirror
from twinlens.capture.report import Take
from twinlens.errors import SettingsError
from twinlens.settings import Settings

_SECONDS = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
_NAP_S = 0.05
"""A wait that is shorter is slept; a longer one lets the cameras be heard."""


@dataclass(frozen=True, kw_only=True)
class Plan(Settings):
    """What to record of each scene: every mirror state, under each of them every exposure."""

    pairs: int = 0
    """Complete pairs of each scene, mirror state and exposure; or see `duration_s`."""
    duration_s: float = 0.0
    """How long to record each of them; or see `pairs`."""
    burst: int = 0
    """Pairs of a burst, taken as fast as they come; 0 takes all in one go."""
    burst_rate_hz: float = 0.0
    """Bursts per second; 0 starts each when the one before is over."""
    mirror_states: tuple[MirrorState, ...] = (MirrorState("unknown"),)
    before_each: str = ""
    """Command that sets the mirror before each state."""
    before_each_timeout_s: float = 60.0
    """How long that command may take."""
    bracket_us: tuple[float, ...] = ()
    """Exposures of a bracket; empty takes the rig's."""
    kind: SeriesKind = "scene"
    """What the pairs are for."""
    features: Mapping[str, FeatureValue] = field(default_factory=dict)
    """Features set on both cameras before each take."""

    def check(self) -> None:
        """Refuse what asks for nothing, or for two things at once."""
        if (self.pairs > 0) == (self.duration_s > 0):
            asked = "both pairs and a duration" if self.pairs > 0 else "neither pairs nor a duration"
            raise SettingsError(f"{asked} were asked for", hint="ask for one of them")
        self.require("burst", minimum=0, maximum=1_000_000)
        self.require("burst_rate_hz", minimum=0, maximum=10_000)
        if 0 < self.pairs < self.burst:
            raise SettingsError(
                f"bursts of {self.burst} pairs do not fit into {self.pairs} pairs",
                hint="ask for more pairs or for shorter bursts",
            )
        if not self.mirror_states:
            raise SettingsError("no mirror state was given", hint="give at least one label")
        for exposure_us in self.bracket_us:
            if not 5 <= exposure_us <= 1e6:
                raise SettingsError(
                    f"{exposure_us:g} us is no exposure of a MER-530", hint="give exposures between 5 and 1e6 us"
                )
        if len(set(self.bracket_us)) < len(self.bracket_us):
            raise SettingsError("an exposure of the bracket comes twice", hint="give each exposure once")

    @property
    def waits(self) -> bool:
        """Whether takes have to wait for something: a command, a pace, a time."""
        return bool(self.before_each) or (self.burst > 0 and (self.burst_rate_hz > 0 or self.duration_s > 0))


def planned_takes(plan: Plan, scene: str) -> Sequence[Take] | Iterator[Take | None]:
    """The takes of one scene: all at once where nothing has to be waited for, else one by one (None: not yet)."""
    takes = scene_takes(plan, scene, plan.mirror_states)
    return takes if plan.waits else [take for take in takes if take is not None]


def scene_takes(
    plan: Plan, scene: str, mirror_states: Sequence[MirrorState], *, replaces_previous: int = 0
) -> Iterator[Take | None]:
    """The takes of one scene under these mirror states; None while it waits.

    The first one replaces so many takes before it.

    Raises:
        CaptureError: the command that sets the mirror failed.
    """
    for state in mirror_states:
        if plan.before_each:
            yield from set_mirror(plan.before_each, state, timeout_s=plan.before_each_timeout_s)
        for exposure_us in plan.bracket_us or (None,):
            wanted = Take(
                scene,
                plan.pairs,
                state,
                plan.features,
                duration_s=plan.duration_s,
                kind=plan.kind,
                exposure_us=exposure_us,
            )
            for take in _bursts(wanted, burst=plan.burst, rate_hz=plan.burst_rate_hz):
                if take is None:
                    yield None
                    continue
                yield replace(take, replaces_previous=replaces_previous)
                replaces_previous = 0


def parse_duration_s(text: str) -> float:
    """Seconds from a text such as 30s, 500ms, 2min or 1.5h.

    Raises:
        ValueError: it is no such text, or no time.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]+)\s*", text.lower())
    if found is None or found[2] not in _SECONDS:
        hint = f"; {text.strip()}s would be seconds" if re.fullmatch(r"\s*\d+(\.\d*)?\s*", text) else ""
        raise ValueError(f"{text!r} is no duration such as 30s, 500ms, 2min or 1h{hint}")
    seconds = float(found[1]) * _SECONDS[found[2]]
    if seconds <= 0:
        raise ValueError(f"{text!r} is no time at all")
    return seconds


def parse_bracket_us(text: str) -> tuple[float, ...]:
    """Exposures in us from a text such as 1000,2000,4000.

    Raises:
        ValueError: it is no such text.
    """
    try:
        exposures = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"{text!r} is no list of exposures in us such as 1000,2000,4000") from None
    if len(exposures) < 2:
        raise ValueError(f"{text!r} is one exposure; a bracket has two or more")
    return exposures


def _bursts(wanted: Take, *, burst: int, rate_hz: float) -> Iterator[Take | None]:
    if not burst:
        yield wanted
        return
    due_s = time.monotonic()
    until_s = due_s + wanted.duration_s if wanted.duration_s else float("inf")
    left = wanted.pairs or float("inf")
    while left > 0:
        while (wait_s := due_s - time.monotonic()) > _NAP_S:
            yield None
        time.sleep(max(0.0, wait_s))
        if time.monotonic() >= until_s:
            return
        # A burst that took too long moves all that follow: they do not hurry to catch up.
        due_s = max(due_s, time.monotonic() - _NAP_S) + (1 / rate_hz if rate_hz else 0.0)
        yield replace(wanted, pairs=int(min(burst, left)), duration_s=0.0)
        left -= burst
