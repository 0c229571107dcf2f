"""What goes wrong with triggers and packets, decided by the seed alone: who knows it knows every loss."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twinlens.capture.virtual import gvsp
from twinlens.capture.virtual.faults import Faults

Deed = Literal["send", "hold", "spoil", "stall"]
"""send: as it should be. hold: send later. spoil: send something that is no proper packet. stall: send nothing
for a while."""
_NONE = -1
"""No packet's id."""
_MISS, _DROP, _ENDS, _REORDER, _DUPLICATE, _DELAY, _CORRUPT, _SPOIL, _RESEND = range(9)
"""Each fault draws from a generator of its own, so that one does not change what another picks."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that is done with packets `first` to `last` of a frame; for a stall both are -1."""

    deed: Deed
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Script:
    """How one frame leaves the camera."""

    steps: tuple[Step, ...]
    dropped: frozenset[int]
    """Packets that do not leave the camera as they should have, at first."""


class PacketFaults:
    """The faults of one camera's stream."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._is_plain = not any(
            getattr(faults, name)
            for name in ("drop", "drop_leader", "drop_trailer", "reorder", "duplicate", "delay", "corrupt")
        )
        self._resend_chance = np.random.default_rng([faults.seed, _RESEND])

    def misses(self, number: int, arming: int) -> bool:
        """True for a trigger that makes no frame."""
        if number in self.faults.missed_triggers:
            return True
        return (
            bool(self.faults.miss) and number >= 0 and self._rng(_MISS, arming, number).random() < self.faults.miss
        )

    def late_ns(self, number: int) -> int:
        """How late a trigger is exposed."""
        return round(self.faults.late_ms * 1e6) if number in self.faults.late_triggers else 0

    def loses(self, number: int) -> bool:
        """True for a trigger whose frame never leaves the camera."""
        return number in self.faults.lost_frames

    def drops_resent(self) -> bool:
        """True for a resent packet that is lost too."""
        return bool(self.faults.resends_drop) and self._resend_chance.random() < self.faults.resends_drop

    def script(self, payload_packets: int, *, frame: int, arming: int) -> Script:
        """How frame number `frame` since arming leaves the camera."""
        stalls = frame == self.faults.stall_at_frame and self.faults.stall_ms > 0
        trailer = payload_packets + 1
        if self._is_plain and not stalls:
            return Script((Step("send", 0, trailer),), frozenset())
        dropped = self._dropped(payload_packets, frame, arming)
        spoilt = self._spoilt(dropped, frame, arming)
        held = self._chosen(_DELAY, self.faults.delay, dropped, frame, arming)
        order = self._order(dropped, frame, arming)
        steps = _steps(order, held=held, spoilt=spoilt, stalls=stalls)
        lost = {int(packet) for packet in np.flatnonzero(dropped)} | {spoilt}
        return Script(steps, frozenset(lost - {_NONE}))

    def spoil(self, packet: bytes, *, frame: int, arming: int) -> bytes:
        """Something like this packet that no receiver may take for it."""
        kind = int(self._rng(_SPOIL, arming, frame).integers(6))
        header, payload = packet[: gvsp.HEADER_BYTES], packet[gvsp.HEADER_BYTES :]
        return (
            header + payload[: len(payload) // 2],
            packet[:5],
            header[:4] + b"\x0f" + header[5:] + payload,
            header[:5] + b"\xff\xff\xf0" + payload,
            header[:2] + b"\0\0" + header[4:] + payload,
            b"",
        )[kind]

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng([self.faults.seed, *key])

    def _dropped(self, count: int, frame: int, arming: int) -> NDArray[np.bool_]:
        """Which of the packets 0 to `count` + 1 are lost."""
        faults = self.faults
        dropped = np.zeros(count + 2, bool)
        if faults.drop:
            # An event loses its packet and the next; it may begin before the first packet of the frame.
            burst = min(faults.drop_burst, count)
            chance = 1 - (1 - faults.drop) ** (1 / burst)
            begins = self._rng(_DROP, arming, frame).random(count + burst - 1) < chance
            dropped[1:-1] = np.convolve(begins, np.ones(burst, int), mode="valid") > 0
        ends = self._rng(_ENDS, arming, frame).random(2)
        dropped[0], dropped[-1] = ends[0] < faults.drop_leader, ends[1] < faults.drop_trailer
        return dropped

    def _chosen(self, kind: int, share: float, dropped: NDArray[np.bool_], frame: int, arming: int) -> set[int]:
        """Payload packets that a fault picks, none of them dropped."""
        if not share:
            return set()
        picked = self._rng(kind, arming, frame).random(len(dropped)) < share
        picked[[0, -1]] = False
        return {int(packet) for packet in np.flatnonzero(picked & ~dropped)}

    def _spoilt(self, dropped: NDArray[np.bool_], frame: int, arming: int) -> int:
        """The payload packet that is spoilt."""
        left = np.flatnonzero(~dropped[1:-1]) + 1
        rng = self._rng(_CORRUPT, arming, frame)
        if not self.faults.corrupt or rng.random() >= self.faults.corrupt or not len(left):
            return _NONE
        return int(rng.choice(left))

    def _order(self, dropped: NDArray[np.bool_], frame: int, arming: int) -> list[int]:
        """The packets that leave the camera, as they follow each other."""
        late: list[int] = []
        for packet in sorted(self._chosen(_REORDER, self.faults.reorder, dropped, frame, arming)):
            if not late or packet > late[-1] + 1:  # the successor of a late packet is in time
                late.append(packet)
        twice = self._chosen(_DUPLICATE, self.faults.duplicate, dropped, frame, arming)
        left = np.flatnonzero(~dropped)
        places = left.astype(np.float64)
        places[np.isin(left, late)] += 1.5
        again = np.isin(left, list(twice))
        packets = np.concatenate([left, left[again]])
        order = np.argsort(np.concatenate([places, places[again]]), kind="stable")
        return [int(packet) for packet in packets[order]]


def _steps(order: list[int], *, held: set[int], spoilt: int, stalls: bool) -> tuple[Step, ...]:
    """The packets in their order, those that can leave together taken together."""
    steps: list[Step] = []
    for place, packet in enumerate(order):
        if stalls and place == len(order) // 2:
            steps.append(Step("stall", _NONE, _NONE))
        deed: Deed = "spoil" if packet == spoilt else "hold" if packet in held else "send"
        last = steps[-1] if steps else None
        if last is not None and deed == last.deed == "send" and packet == last.last + 1:
            steps[-1] = Step("send", last.first, packet)
        else:
            steps.append(Step(deed, packet, packet))
    return tuple(steps)
