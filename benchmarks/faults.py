"""What every fault costs: frames recovered, pairs made, wrong pairs, and whether the ledger tells the truth.

Two virtual cameras get pulses on Line0 and one fault after the other; the capture knows of neither. Judged by the
trigger number stamped into the pixels and by the cameras' own logs. Ends with exit code 1 if any pair is wrong, or
any loss is missing from the ledger or stands there with a wrong reason.
Reference: the same run without a fault, first in the table; the last column is the ratio of pairs to it.
Run: python benchmarks/faults.py [--frames N] [--rates HZ ...] [--cases NAME ...] [--full-size]
"""

import argparse
import sys
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from twinlens.capture.capture import CaptureReport, Take, capture
from twinlens.capture.rig_file import RigSettings
from twinlens.capture.session import Session
from twinlens.capture.virtual.camera_log import LogEntry, read_log
from twinlens.capture.virtual.faults import Faults
from twinlens.capture.virtual.loop import LoopSettings
from twinlens.capture.virtual.rehearse import virtual_rig
from twinlens.capture.virtual.serve import DEFAULT_SERIALS
from twinlens.capture.virtual.stamp import read_trigger
from twinlens.errors import TwinlensError

SMALL_HW, FULL_HW = (512, 640), (2048, 2592)
REASONS = {
    "missed": {"not triggered"},
    "too fast": {"not triggered"},
    "lost": {"lost on the network"},
    "sent": {"incomplete", "lost on the network", "late", "not delivered"},
    "not armed": {"camera lost", "not delivered"},
    "unplugged": {"camera lost", "lost on the network", "incomplete"},
}
"""What the ledger may say about a trigger, by what the camera's log says."""


@dataclass(frozen=True)
class Case:
    """One line of the table."""

    name: str
    a: Faults = field(default_factory=Faults)
    b: Faults = field(default_factory=Faults)
    reconnect: bool = False


CASES = (
    Case("none"),
    Case("drop 0.1 %", Faults(drop=0.001, seed=1), Faults(drop=0.001, seed=2)),
    Case("drop 1 %", Faults(drop=0.01, seed=3), Faults(drop=0.01, seed=4)),
    Case("drop 0.1 %, no resend", b=Faults(drop=0.001, offers_resend=False, seed=5)),
    Case("burst drop", b=Faults(drop=0.02, drop_burst=20, seed=6)),
    Case("leader, trailer", Faults(drop_leader=0.05, seed=7), Faults(drop_trailer=0.05, seed=8)),
    Case("reorder", b=Faults(reorder=0.05, seed=9)),
    Case("duplicate", b=Faults(duplicate=0.05, seed=10)),
    Case("corrupt", b=Faults(corrupt=0.2, seed=11)),
    Case("wrap of block ids", b=Faults(first_block_id=65530)),
    Case("missed trigger", Faults(miss=0.05, seed=12), Faults(miss=0.05, seed=13)),
    Case("late trigger", b=Faults(late_triggers=tuple(range(40, 4000, 17)), late_ms=20.0)),
    Case("extra frame", b=Faults(extra_frames=2)),
    Case("whole frame lost", b=Faults(lost_frames=tuple(range(45, 4000, 13)))),
    Case("drift 100 ppm", b=Faults(clock_drift_ppm=100.0, clock_offset_s=5.0, clock_jitter_us=50.0)),
    Case("stall", b=Faults(stall_at_frame=12, stall_ms=300.0)),
    Case("unplug", b=Faults(unplug_after_frames=40, replug_after_s=2.0), reconnect=True),
)


@dataclass(frozen=True)
class Verdict:
    """What one run showed."""

    sent: int
    recovered: int
    incomplete: int
    pairs: int
    wrong: int
    untold: int
    """Losses that the ledger lacks or gives a reason that the camera's log contradicts, and gaps that are none."""
    told: Counter[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=200, help="pairs per run")
    parser.add_argument("--rates", type=float, nargs="+", default=[10.0, 20.0])
    parser.add_argument("--cases", nargs="+", default=[case.name for case in CASES])
    parser.add_argument("--full-size", action="store_true", help="2592x2048 instead of 640x512")
    asked = parser.parse_args()
    shape_hw = FULL_HW if asked.full_size else SMALL_HW
    print(f"{shape_hw[1]}x{shape_hw[0]} Mono8, pulses on Line0, {asked.frames} pairs asked for")
    print(f"{'fault':22} {'Hz':>4} {'sent':>6} {'frames':>7} {'incompl.':>8} {'pairs':>6} {'WRONG':>6} "
          f"{'untold':>6} {'pairs/none':>10}  ledger")  # fmt: skip
    failures = 0
    for rate_hz in asked.rates:
        reference = 0
        for case in CASES:
            if case.name not in asked.cases and case.name != "none":
                continue
            verdict = run(case, shape_hw=shape_hw, rate_hz=rate_hz, pairs=asked.frames)
            reference = reference or verdict.pairs
            told = ", ".join(f"{count} {reason}" for reason, count in sorted(verdict.told.items()))
            ratio = verdict.pairs / reference
            print(f"{case.name:22} {rate_hz:4.0f} {verdict.sent:6} {verdict.recovered:7} {verdict.incomplete:8} "
                  f"{verdict.pairs:6} {verdict.wrong:6} {verdict.untold:6} {ratio:10.2f}  {told}",
                  flush=True)  # fmt: skip
            failures += verdict.wrong + verdict.untold
    sys.exit(1 if failures else 0)


def run(case: Case, *, shape_hw: tuple[int, int], rate_hz: float, pairs: int) -> Verdict:
    """Capture with one fault, and judge what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        logs = (Path(folder) / "a.jsonl", Path(folder) / "b.jsonl")
        rig = RigSettings(
            a=DEFAULT_SERIALS[0],
            b=DEFAULT_SERIALS[1],
            trigger="hardware",
            exposure_us=500.0,
            frame_timeout_s=3.0,
        )
        with virtual_rig(
            LoopSettings(shape_hw=shape_hw, frames=4), faults=(case.a, case.b), pulses_hz=rate_hz, logs=logs
        ):
            report = record(rig, pairs, Path(folder), reconnect=case.reconnect)
        return judge(report, (read_log(logs[0]), read_log(logs[1])))


def record(rig: RigSettings, pairs: int, out: Path, *, reconnect: bool) -> CaptureReport:
    """The report at the end, also where the capture broke off."""
    last: CaptureReport | None = None
    try:
        with closing(capture(rig, [Take("fault", pairs)], out=out, reconnect=reconnect)) as reports:
            for report in reports:
                last = report
    except TwinlensError as error:
        print(f"  broke off: {error}", flush=True)
    if last is None:
        raise SystemExit("nothing was recorded")
    return last


def judge(report: CaptureReport, logs: tuple[list[LogEntry], list[LogEntry]]) -> Verdict:
    """Compare the session with the numbers in its pixels and with what the cameras did."""
    session = Session(Path(report.folder))
    wrong, number_of = 0, {}
    for pair in session.pairs():
        numbers = read_trigger(pair.a.pixels), read_trigger(pair.b.pixels)
        wrong += numbers[0] != numbers[1]
        number_of[pair.trigger_index] = numbers[0]
    untold = 0
    for camera, log in zip("ab", logs, strict=True):
        told = {gap.trigger_index: gap.reason for gap in session.ledger if gap.camera == camera}
        events = {entry.trigger: entry for entry in log if entry.event != "extra"}
        untold += sum(contradicts(session, index, number_of, events, told) for index in range(report.triggers))
    return Verdict(
        sent=sum(entry.event in ("sent", "extra") for log in logs for entry in log),
        recovered=sum(report.frames.values()),
        incomplete=sum(stream.get("StreamIncompleteFrameCount", 0) for stream in report.stream.values()),
        pairs=len(number_of),
        wrong=wrong,
        untold=untold,
        told=Counter(gap.reason for gap in session.ledger),
    )


def contradicts(
    session: Session,
    index: int,
    number_of: dict[int, int],
    events: dict[int, LogEntry],
    told: dict[int, str],
) -> bool:
    """Whether one camera's account of one trigger is not what happened."""
    if index in number_of:
        return index in told
    if index not in told:  # no pair and no gap here: then the other camera lost it
        return not any(gap.trigger_index == index for gap in session.ledger)
    before = max((i for i in number_of if i < index), default=None)
    if before is None:
        return False
    entry = events.get(number_of[before] + index - before)
    return entry is not None and told[index] not in REASONS[entry.event]


if __name__ == "__main__":
    main()
