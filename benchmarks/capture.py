"""Two virtual cameras at full rate to disk: pairs made of pulses sent, what was lost where, and the CPU it took.

Pulses on Line0 of both; the numbers in the first and the last pair and the cameras' own logs say how many pulses
there were. CPU is that of receiver and recorder: the processes of camera A and camera B and the parent, from the
first pair to the last, per second of wall clock. The cameras' own process is told apart; where that is allowed it
has real-time priority, because no camera waits for this computer's processor.
Reference: in the same run, on the same cameras and pulses, a receiver of Aravis (if the system's Python has it);
it copies every frame as twinlens does, but writes no file and makes no pairs. At the end, Aravis' own camera test.
Then faster pulses until something is lost. Ends with exit code 1 if anything is lost at the first rate.
Run: python benchmarks/capture.py [--seconds S] [--rates HZ ...] [--size WxH] [--out FOLDER]
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aravis_receiver as aravis
from meter import Meter, plain_write

from twinlens.capture.capture import CaptureReport, Take, capture
from twinlens.capture.rig_file import RigSettings
from twinlens.capture.session import Session
from twinlens.capture.virtual.camera_log import LogEntry, read_log
from twinlens.capture.virtual.camera_settings import VirtualCameraSettings
from twinlens.capture.virtual.loop import LoopSettings
from twinlens.capture.virtual.rehearse import virtual_rig
from twinlens.capture.virtual.serve import DEFAULT_ADDRESSES, DEFAULT_SERIALS
from twinlens.capture.virtual.stamp import read_trigger
from twinlens.errors import TwinlensError

EXPOSURE_US = 1000.0
GIGABIT = 125e6
"""What a MER-530's link carries, bytes/s; the pace of the virtual cameras as long as the rate fits."""
HEADROOM = 1.17
"""What 1 GbE has to spare at 20 Hz; above that rate the virtual links are faster in proportion."""
MEMORY_FRAMES = 32
"""Frames a virtual camera may owe when this computer holds it up for a moment; it sends them late, not never."""
CAMERAS = "virtual-rig"
"""Name of the process that holds both virtual cameras."""
MEMORY = Path("/dev/shm")  # noqa: S108 - the cameras' logs must not wait for the disk that is being measured


@dataclass(frozen=True)
class Run:
    """One recording."""

    rate_hz: float
    report: CaptureReport
    stream: dict[str, dict[str, int]]
    """The producer's counters, by camera."""
    first: int
    """Number of the pulse that the first pair answers."""
    pulses: int
    """From the first pair's to the last pair's."""
    cpu: dict[str, float]
    """CPU seconds per second, by process."""

    @property
    def receiver_cpu(self) -> float:
        """CPU seconds per second of receiver and recorder."""
        return sum(load for name, load in self.cpu.items() if name != CAMERAS)

    def count(self, counter: str) -> int:
        """A counter of the producer, both cameras together."""
        return sum(stream.get(counter, 0) for stream in self.stream.values())

    @property
    def is_lossless(self) -> bool:
        """Whether every pulse has its pair."""
        report = self.report
        return report.complete and report.pairs == self.pulses and not report.frames_lost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="recorded at the first rate")
    parser.add_argument("--rates", type=float, nargs="+", default=[20, 22, 25, 30, 35, 40, 50, 60])
    parser.add_argument("--rate-seconds", type=float, help="recorded at the others; a quarter of --seconds")
    parser.add_argument("--size", default="2592x2048")
    parser.add_argument("--out", type=Path, help="a folder on the disk to record to")
    asked = parser.parse_args()
    width, height = (int(text) for text in asked.size.split("x"))
    bench = Bench((height, width), asked.out)
    print(f"{width}x{height} Mono8, two cameras, pulses on Line0, {os.cpu_count()} cores")
    first, *faster = asked.rates
    is_lossless = bench.compare(first, asked.seconds)
    best_hz = first if is_lossless else 0.0
    for rate_hz in faster if is_lossless else ():
        if not bench.climb(rate_hz, asked.rate_seconds or asked.seconds / 4):
            break
        best_hz = rate_hz
    print(f"highest rate without loss: {best_hz:g} Hz")
    bench.camera_test()
    sys.exit(0 if is_lossless else 1)


class Bench:
    """Where and what is measured."""

    def __init__(self, shape_hw: tuple[int, int], out: Path | None) -> None:
        self._shape_hw, self._out = shape_hw, out

    def compare(self, rate_hz: float, seconds: float) -> bool:
        """Record, let Aravis receive for a third of the time, and print both; whether nothing was lost."""
        frame_bytes = self._shape_hw[0] * self._shape_hw[1]
        with self._rig(rate_hz) as (folder, logs):
            run = record(folder, rate_hz, seconds)
            plain, disk = plain_write(folder, frame_bytes, rate_hz)
            peers, load = self._receive_with_aravis(run, seconds / 3)
        show(run, logs)
        print(f"  only writing: {plain:.2f} CPU s per s, twinlens / that {run.receiver_cpu / plain:.2f}; "
              f"the disk takes {disk / 1e6:.0f} MB/s, {2e-6 * frame_bytes * rate_hz:.0f} are needed")  # fmt: skip
        if peers:
            show_peers(run, peers, logs, load)
        return run.is_lossless

    def _receive_with_aravis(self, run: Run, seconds: float) -> tuple[list[dict[str, Any]], float]:
        """What one Aravis process per camera received, and the cameras' CPU meanwhile; nothing without Aravis."""
        if missing := aravis.why_missing():
            print(f"no reference: {missing}")
            return [], 0.0
        packet_size = max(stream.get("StreamPacketSize", 0) for stream in run.stream.values())
        peers = [
            aravis.start(address, seconds=seconds, packet_size=packet_size, exposure_us=EXPOSURE_US)
            for address in DEFAULT_ADDRESSES
        ]
        meter = Meter()
        found = aravis.results(peers, timeout_s=seconds + 60)
        meter.read()
        return found, meter.loads[CAMERAS]

    def climb(self, rate_hz: float, seconds: float) -> bool:
        """Record at a higher rate; whether nothing was lost."""
        with self._rig(rate_hz) as (folder, logs):
            run = record(folder, rate_hz, seconds)
        show(run, logs)
        return run.is_lossless

    def camera_test(self) -> None:
        """Let Aravis' own tool stream from one camera."""
        with self._rig(0.0, use_segmentation=False):
            told = aravis.test_camera(DEFAULT_SERIALS[0], seconds=3)
        print(f"arv-camera-test-0.8, one camera at 20 Hz for 3 s, without offload: {told}")

    @contextmanager
    def _rig(
        self, rate_hz: float, *, use_segmentation: bool = True
    ) -> Iterator[tuple[Path, list[list[LogEntry]]]]:
        """The cameras, as fast as needed; a folder that is deleted at the end, and then the cameras' logs."""
        needed = self._shape_hw[0] * self._shape_hw[1] * rate_hz
        pace = VirtualCameraSettings(
            bytes_per_s=max(GIGABIT, HEADROOM * needed),
            use_segmentation=use_segmentation,
            trigger_queue=MEMORY_FRAMES,
        )
        entries: list[list[LogEntry]] = []
        beside = MEMORY if MEMORY.is_dir() else self._out
        with tempfile.TemporaryDirectory(dir=self._out) as folder, tempfile.TemporaryDirectory(dir=beside) as own:
            logs = (Path(own) / "a.jsonl", Path(own) / "b.jsonl")
            with virtual_rig(
                LoopSettings(shape_hw=self._shape_hw, frames=2),
                settings=(pace, pace),
                pulses_hz=rate_hz,
                logs=logs,
            ):
                hurry()
                yield Path(folder), entries
            entries += [read_log(log) for log in logs]


def hurry() -> None:
    """Give the virtual cameras' threads precedence over everything else, where that is allowed."""
    for child in multiprocessing.active_children():
        for thread in Path(f"/proc/{child.pid}/task").iterdir() if child.name == CAMERAS else ():
            try:
                os.sched_setscheduler(int(thread.name), os.SCHED_RR, os.sched_param(1))
            except PermissionError:
                print("  no real-time priority here: the virtual cameras may fall behind on a busy machine")
                return


def record(folder: Path, rate_hz: float, seconds: float) -> Run:
    """Record as many pairs as there should be pulses, or until it has taken much longer."""
    rig = RigSettings(
        a=DEFAULT_SERIALS[0],
        b=DEFAULT_SERIALS[1],
        trigger="hardware",
        exposure_us=EXPOSURE_US,
        frame_timeout_s=3.0,
    )
    meter, last, give_up_s = None, None, 0.0
    try:
        with closing(capture(rig, [Take("bench", round(rate_hz * seconds))], out=folder)) as reports:
            for report in reports:
                last = report
                if report.pairs and meter is None:
                    meter, give_up_s = Meter(), time.monotonic() + 1.25 * seconds + 5
                elif meter is not None and not report.complete:
                    meter.read()
                    if time.monotonic() > give_up_s:
                        break
    except TwinlensError as error:
        print(f"  broke off: {error}", flush=True)
    if last is None or not last.pairs:
        raise SystemExit("nothing was recorded")
    session = Session(Path(last.folder))
    pairs = session.pairs()
    first, final = (read_trigger(pairs[place].a.pixels) for place in (0, -1))
    loads = meter.loads if meter is not None else {}
    return Run(rate_hz, last, session.manifest.stream, first, final - first + 1, loads)


def show(run: Run, logs: list[list[LogEntry]]) -> None:
    """Print one recording, and what broke where something did."""
    report = run.report
    numbers = range(run.first, run.first + run.pulses)
    events = (entry.event for log in logs for entry in log if entry.arming == 0 and entry.trigger in numbers)
    unsent = dict(Counter(event for event in events if event != "sent"))
    told = Counter(gap.reason for gap in report.ledger)
    underruns = run.count("StreamUnderrunCount")  # "queue full" in the ledger as well
    print(f"{run.rate_hz:g} Hz: {report.pairs} of {run.pulses} pairs, {report.frames_lost} frames lost, "
          f"{run.count('StreamIncompleteFrameCount')} incomplete, "
          f"{run.count('StreamResendRequestCount')} packets asked again, "
          f"queue at most {max(report.queue_high_water.values())} frames")  # fmt: skip
    if report.skew is not None:
        print(f"  skew median {report.skew.median_us:.1f} us, p95 {report.skew.p95_us:.1f}, "
              f"max {report.skew.max_us:.1f} ({report.skew.how_measured})")  # fmt: skip
    each = ", ".join(f"{name} {load:.2f}" for name, load in run.cpu.items() if name != CAMERAS)
    print(f"  receiver and recorder {run.receiver_cpu:.2f} CPU s per s ({each}); "
          f"the virtual cameras {run.cpu.get(CAMERAS, 0.0):.2f}", flush=True)  # fmt: skip
    if run.is_lossless:
        return
    print(
        f"  cameras: {unsent or 'answered every pulse'}; "
        f"receiver: {run.count('StreamLostPacketCount')} packets lost, {run.count('StreamLostFrameCount')} frames "
        f"never seen, {underruns} without a free buffer; "
        f"recorder: {max(0, told['queue full'] + told['writer stalled'] - underruns)} without room in its queue; "
        f"ledger: {dict(told) or 'empty'}, {report.unasked_frames} unasked, {len(report.slips)} slips",
        flush=True,
    )


def show_peers(run: Run, peers: list[dict[str, Any]], logs: list[list[LogEntry]], cameras_cpu: float) -> None:
    """Print what Aravis received of the same pulses, and the ratios."""
    pulses = 0
    for peer, log in zip(peers, logs, strict=True):
        arming = max(entry.arming for entry in log)
        number = {entry.block_id: entry.trigger for entry in log if entry.arming == arming and entry.block_id}
        pulses += number[peer["last_id"]] - number[peer["first_id"]] + 1
    complete = sum(peer["complete"] for peer in peers)
    cpu = sum(peer["cpu_s"] / peer["wall_s"] for peer in peers)
    resent = sum(peer["n_resend_requests"] for peer in peers)
    print(f"  Aravis (no file, no pairs): {complete} of {pulses} frames complete, {resent} packets asked again, "
          f"{cpu:.2f} CPU s per s; the virtual cameras {cameras_cpu:.2f}")  # fmt: skip
    share, reference = 1 - run.report.frames_lost / (2 * run.pulses), complete / pulses
    print(f"  twinlens / Aravis: frames {share:.4f} / {reference:.4f} = {share / reference:.4f}, "
          f"CPU {run.receiver_cpu / cpu:.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
