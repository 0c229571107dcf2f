"""What a camera does when its registers are written: region, exposure, trigger, stream and clock."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address

from twinlens.capture.virtual import bootstrap, chunk, features, gvsp
from twinlens.capture.virtual.action import concerns, read_action
from twinlens.capture.virtual.bank import Bank
from twinlens.capture.virtual.camera_log import CameraLog, LogEntry
from twinlens.capture.virtual.camera_settings import VirtualCameraSettings
from twinlens.capture.virtual.faults import Faults
from twinlens.capture.virtual.gvcp import RefusedError, Request, Status, read_resend
from twinlens.capture.virtual.lines import Pulse
from twinlens.capture.virtual.oscillator import Oscillator
from twinlens.capture.virtual.registers import RegisterFile
from twinlens.capture.virtual.sender import PacedSender
from twinlens.capture.virtual.source import SHUTTERS, ImageSource, Shot
from twinlens.capture.virtual.streamer import Streamer, StreamPlan
from twinlens.capture.virtual.transport_features import chosen_chunks
from twinlens.capture.virtual.trigger_input import TriggerInput

_PAUSES_BEFORE_UNPLUGGING = 2
"""The leader and some of the picture are out by then."""
_WARM_UP_S = 600.0
_COLD_C, _WARMTH_C = 32.0, 14.0
"""Mainboard temperature at power-up, and how much it rises: plausible, not measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is around the firmware, and outlives a power cut."""

    log: CameraLog
    emit: Callable[[Pulse], None]
    """Gets every pulse of the output Line1."""
    unplug: Callable[[], None]
    """Called, from the stream's thread, when the camera is to vanish."""


class Firmware:
    """The registers of one camera and the stream they steer, from power-up to power-down."""

    def __init__(
        self,
        source: ImageSource,
        sender: PacedSender,
        registers: RegisterFile,
        *,
        settings: VirtualCameraSettings,
        faults: Faults,
        around: Surroundings,
    ) -> None:
        self.registers = registers
        self._settings = settings
        self._faults = faults
        self._around = around
        self._born_ns = time.monotonic_ns()
        self._sent_before = self._frames_sent()
        self._started_ns = self._born_ns
        self._pauses_in_last = 0
        self._exposed: deque[tuple[int, int]] = deque(maxlen=64)
        self._oscillator = Oscillator(faults)
        self._streamer = Streamer(
            source, sender, director=self, queue_length=settings.trigger_queue, faults=faults, log=around.log
        )
        self.trigger_input = TriggerInput(registers, self._streamer, around.log, emit=around.emit)
        self._chunks = Bank(registers, "ChunkSelector", ("ChunkEnable",), power_up={}, on_change=self._derive)
        registers.put("GevSCSP", sender.port)
        self._add_checks()
        self._add_effects()
        self._derive()
        self.tick()

    @property
    def failure(self) -> BaseException | None:
        """What ended the stream thread, if anything did."""
        return self._streamer.failure

    def free(self) -> None:
        """Stop and close the stream: control was taken, given up or lost."""
        self._streamer.halt()
        for name in ("GevSCPHostPort", "TLParamsLocked"):
            self.registers.put(name, 0)

    def close(self) -> None:
        """End the stream thread."""
        self._streamer.close()

    def tick(self) -> None:
        """Refresh what changes by itself."""
        age_s = (time.monotonic_ns() - self._born_ns) / 1e9
        self.registers.put("DeviceTemperature", _COLD_C + _WARMTH_C * min(1.0, age_s / _WARM_UP_S))

    def resend(self, request: Request, asker: str) -> None:
        """Send packets again if `asker` is the host the stream goes to, and the camera can."""
        if not self._faults.offers_resend:
            return
        block, first, last = read_resend(request.payload)
        if asker in (self._host()[0], str(self._owner_address())):
            self._streamer.resend(block, first, last)

    def act(self, request: Request) -> bool:
        """Obey an action command; False where it does not concern this camera.

        Raises:
            RefusedError: it is malformed, or scheduled and the clock follows no master or is past the time.
        """
        command = read_action(request)
        if not (self.registers.integer("GevCCP") and concerns(command, self.registers)):
            return False
        at_ns = time.monotonic_ns()
        if command.at_ticks is not None:
            if not self._oscillator.follows_master:
                raise RefusedError(Status.NO_REF_TIME)
            now_ns, at_ns = at_ns, self._oscillator.host_ns(command.at_ticks)
            if at_ns < now_ns:
                raise RefusedError(Status.ACTION_LATE)
        self.trigger_input.act(at_ns)
        return True

    def period_ns(self) -> int | None:
        """Time between free-running frames, or None where triggers start frames."""
        return None if self.registers.integer("TriggerMode") else self._frame_time_ns()

    def packet_delay_ns(self) -> int:
        """Pause between two packets; a tick is a nanosecond."""
        limit = self._faults.unplug_after_frames
        # Asked after the leader and after every burst, so this is the place to vanish in the middle of a frame.
        if 0 <= limit <= self._frames_sent() - self._sent_before:
            self._pauses_in_last += 1
            if self._pauses_in_last == _PAUSES_BEFORE_UNPLUGGING:
                self._vanish()
        return self.registers.integer("GevSCPD")

    def look(self, number: int) -> Shot:
        """The shot of a trigger with the present settings."""
        registers = self.registers
        return Shot(
            trigger_index=number,
            scene_index=registers.integer("TwinSceneSelector"),
            mirror_state_index=registers.integer("TwinMirrorStateSelector"),
            exposure_us=registers.real("ExposureTime"),
            gain_db=registers.real("Gain"),
            shutter=SHUTTERS[registers.integer("TwinShutterSelector")],
        )

    def strobe(self, number: int, at_ns: int) -> None:
        """An exposure begins."""
        self._exposed.append((number, at_ns))
        self.trigger_input.strobe(number, at_ns)

    def clock(self, at_ns: int | None = None) -> int:
        """The timestamp of something at a host time, ticks."""
        return self._oscillator.stamp(at_ns)

    def _add_checks(self) -> None:
        size = self.registers.integer
        self.registers.is_locked = lambda: bool(self._streamer.is_acquiring or size("TLParamsLocked"))
        self.registers.checks.update(
            Width=lambda value: _check_fits(value, size("WidthMax") - size("OffsetX")),
            Height=lambda value: _check_fits(value, size("HeightMax") - size("OffsetY")),
            OffsetX=lambda value: _check_fits(value, size("WidthMax") - size("Width")),
            OffsetY=lambda value: _check_fits(value, size("HeightMax") - size("Height")),
            GevSCPS=_check_packet_size,
            AcquisitionStart=self._check_may_start,
        )

    def _add_effects(self) -> None:
        image = ("Width", "Height", "PixelFormat", "ChunkModeActive")
        for name in (*image, "AcquisitionFrameRate", "AcquisitionFrameRateMode", "ExposureTime"):
            self.registers.effects[name] = lambda _value: self._derive()
        self.registers.effects.update(
            GevSCPHostPort=self._open_stream,
            GevSCPS=self._set_packet_size,
            GevTimestampControl=self._control_clock,
            GevSupportedOptionSelector=lambda _value: self._derive(),
            PtpEnable=self._follow_master,
            AcquisitionStart=lambda _value: self._start(),
            AcquisitionStop=lambda _value: self._streamer.stop(),
            UserSetLoad=lambda _value: self._load_user_set(),
        )

    def _derive(self) -> None:
        """Registers that follow from others."""
        registers = self.registers
        pixels = registers.integer("Width") * registers.integer("Height")
        image_bytes = features.payload_bytes(registers.integer("PixelFormat"), pixels)
        registers.put("PayloadSize", image_bytes + chunk.tail_bytes(chosen_chunks(registers, self._chunks)))
        registers.put("CurrentAcquisitionFrameRate", 1e9 / self._frame_time_ns())
        option = registers.integer("GevSupportedOptionSelector")
        registers.put("GevSupportedOption", registers.integer("GevGVCPCapability") >> option & 1)

    def _frame_time_ns(self) -> int:
        registers = self.registers
        is_limited = registers.integer("AcquisitionFrameRateMode")
        rate_hz = registers.real("AcquisitionFrameRate") if is_limited else features.RATE_MAX_HZ
        link_ns = registers.integer("PayloadSize") * 1e9 / self._settings.bytes_per_s
        return int(max(1e9 / rate_hz, registers.real("ExposureTime") * 1e3, link_ns))

    def _control_clock(self, value: float) -> None:
        if int(value) & bootstrap.TIMESTAMP_LATCH:
            self.registers.put("GevTimestampValue", self._oscillator.ticks())
        if int(value) & bootstrap.TIMESTAMP_RESET:
            self._oscillator.reset()

    def _follow_master(self, value: float) -> None:
        self._oscillator.follows_master = bool(value)
        self.registers.put("PtpStatus", bootstrap.PTP_SLAVE if value else bootstrap.PTP_DISABLED)

    def _host(self) -> tuple[str, int]:
        address = IPv4Address(self.registers.integer("GevSCDA"))
        return str(address), self.registers.integer("GevSCPHostPort")

    def _owner_address(self) -> IPv4Address:
        return IPv4Address(self.registers.integer("GevPrimaryApplicationIPAddress"))

    def _frames_sent(self) -> int:
        return self._around.log.count("sent", "extra")

    def _vanish(self) -> None:
        self._streamer.halt()
        number, at_ns, block = self._unfinished()
        log = self._around.log
        log.add(LogEntry(trigger=number, block_id=block, event="unplugged", time_ns=at_ns))
        self._around.unplug()

    def _unfinished(self) -> tuple[int, int, int]:
        """(number, beginning of exposure, block id) of the frame being sent."""
        done = [entry for entry in self._around.log if entry.block_id and entry.time_ns >= self._started_ns]
        finished = {entry.trigger for entry in done}
        number, at_ns = next((e for e in self._exposed if e[0] not in finished), (-1, time.monotonic_ns()))
        return number, at_ns, gvsp.block_id(len(done), self._faults.first_block_id)

    def _open_stream(self, port: float) -> None:
        if port:
            self._forget_exposures()
            self._streamer.restart(self._host())
        else:
            self._streamer.halt()

    def _set_packet_size(self, value: float) -> None:
        word = int(value)
        self.registers.put("GevSCPS", word & ~bootstrap.FIRE_TEST)
        host = self._host()
        if word & bootstrap.FIRE_TEST and host[1] and not self._faults.ignores_test_packets:
            self._streamer.send_test_packet(
                word & bootstrap.SIZE_MASK, host, do_not_fragment=bool(word & bootstrap.DO_NOT_FRAGMENT)
            )

    def _check_may_start(self, _value: float) -> None:
        address, port = self._host()
        if not port or address == "0.0.0.0":  # noqa: S104 - an address nobody gave, not a bind
            raise RefusedError(Status.ACCESS_DENIED)

    def _start(self) -> None:
        registers = self.registers
        packet = registers.integer("GevSCPS")
        self._forget_exposures()
        self._streamer.start(
            StreamPlan(
                host=self._host(),
                packet_size=packet & bootstrap.SIZE_MASK,
                do_not_fragment=bool(packet & bootstrap.DO_NOT_FRAGMENT),
                pixel_format=registers.integer("PixelFormat"),
                window=gvsp.Window(
                    x=registers.integer("OffsetX"),
                    y=registers.integer("OffsetY"),
                    width=registers.integer("Width"),
                    height=registers.integer("Height"),
                ),
                frame_limit=registers.integer("AcquisitionMode"),
                chunks=chosen_chunks(registers, self._chunks),
            )
        )
        registers.put("TwinMissedTriggerCount", 0)

    def _forget_exposures(self) -> None:
        self._exposed.clear()
        self._started_ns = time.monotonic_ns()

    def _load_user_set(self) -> None:
        self.registers.restore_defaults()
        self.trigger_input.lines.reset()
        self._chunks.reset()
        self._derive()


def _check_fits(value: float, limit: int) -> None:
    if value > limit:
        raise RefusedError(Status.INVALID_PARAMETER)


def _check_packet_size(value: float) -> None:
    size = int(value) & bootstrap.SIZE_MASK
    fits = bootstrap.PACKET_SIZE_MIN <= size <= bootstrap.PACKET_SIZE_MAX
    if not fits or size % bootstrap.PACKET_SIZE_STEP:
        raise RefusedError(Status.INVALID_PARAMETER)
