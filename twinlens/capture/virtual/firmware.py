"""What a camera does when its registers are written: region, exposure, trigger, stream and clock."""

import time
from ipaddress import IPv4Address

from twinlens.capture.virtual import bootstrap, features, genapi
from twinlens.capture.virtual.bootstrap import Identity
from twinlens.capture.virtual.feature import feature_registers
from twinlens.capture.virtual.gvcp import RefusedError, Status
from twinlens.capture.virtual.gvsp import Window
from twinlens.capture.virtual.registers import RegisterFile
from twinlens.capture.virtual.sender import PacedSender
from twinlens.capture.virtual.source import ImageSource, Shot
from twinlens.capture.virtual.streamer import Streamer, StreamPlan

_FILE_ADDRESS = 0x41A3_0000
_FILE_NAME = "twinlens_virtual_1_0_0"
_SOFTWARE = 0


class Firmware:
    """The registers of one camera and the stream they steer."""

    def __init__(
        self,
        source: ImageSource,
        sender: PacedSender,
        *,
        identity: Identity,
        netmask: str,
        queue_length: int,
    ) -> None:
        """`queue_length` triggers may wait while a frame is being sent."""
        self.registers = _register_file(source, identity, netmask)
        self._born_ns = time.monotonic_ns()
        self._streamer = Streamer(source, sender, director=self, queue_length=queue_length)
        self.registers.put("GevSCSP", sender.port)
        self._add_checks()
        self._add_effects()
        self._derive()

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
            TriggerSoftware=self._check_may_trigger,
        )

    def _add_effects(self) -> None:
        for name in ("Width", "Height", "AcquisitionFrameRate", "AcquisitionFrameRateMode", "ExposureTime"):
            self.registers.effects[name] = lambda _value: self._derive()
        self.registers.effects.update(
            GevSCPHostPort=self._open_stream,
            GevSCPS=self._set_packet_size,
            GevTimestampControl=self._control_clock,
            AcquisitionStart=lambda _value: self._start(),
            AcquisitionStop=lambda _value: self._streamer.stop(),
            TriggerSoftware=lambda _value: self._trigger(),
            UserSetLoad=lambda _value: self._load_user_set(),
        )

    def _derive(self) -> None:
        """Registers that follow from others."""
        registers = self.registers
        registers.put("PayloadSize", registers.integer("Width") * registers.integer("Height"))
        registers.put("CurrentAcquisitionFrameRate", 1e9 / self._frame_time_ns())

    def _frame_time_ns(self) -> int:
        registers = self.registers
        is_limited = registers.integer("AcquisitionFrameRateMode")
        rate_hz = registers.real("AcquisitionFrameRate") if is_limited else features.RATE_MAX_HZ
        return int(max(1e9 / rate_hz, registers.real("ExposureTime") * 1e3))

    def period_ns(self) -> int | None:
        """Time between free-running frames, or None where triggers start frames."""
        return None if self.registers.integer("TriggerMode") else self._frame_time_ns()

    def packet_delay_ns(self) -> int:
        """Pause between two packets; a tick is a nanosecond."""
        return self.registers.integer("GevSCPD")

    def look(self, trigger_index: int) -> Shot:
        """The shot of a trigger with the present settings."""
        registers = self.registers
        return Shot(
            trigger_index=trigger_index,
            scene_index=registers.integer("TwinSceneSelector"),
            mirror_state_index=registers.integer("TwinMirrorStateSelector"),
            exposure_us=registers.real("ExposureTime"),
            gain_db=registers.real("Gain"),
        )

    def clock(self) -> int:
        """Ticks since power-up or the last reset."""
        return time.monotonic_ns() - self._born_ns

    def _control_clock(self, value: float) -> None:
        if int(value) & bootstrap.TIMESTAMP_LATCH:
            self.registers.put("GevTimestampValue", self.clock())
        if int(value) & bootstrap.TIMESTAMP_RESET:
            self._born_ns = time.monotonic_ns()

    def _host(self) -> tuple[str, int]:
        address = IPv4Address(self.registers.integer("GevSCDA"))
        return str(address), self.registers.integer("GevSCPHostPort")

    def _open_stream(self, port: float) -> None:
        if port:
            self._streamer.restart(self._host())
        else:
            self._streamer.halt()

    def _set_packet_size(self, value: float) -> None:
        word = int(value)
        self.registers.put("GevSCPS", word & ~bootstrap.FIRE_TEST)
        host = self._host()
        if word & bootstrap.FIRE_TEST and host[1]:
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
        self._streamer.start(
            StreamPlan(
                host=self._host(),
                packet_size=packet & bootstrap.SIZE_MASK,
                do_not_fragment=bool(packet & bootstrap.DO_NOT_FRAGMENT),
                pixel_format=registers.integer("PixelFormat"),
                window=Window(
                    x=registers.integer("OffsetX"),
                    y=registers.integer("OffsetY"),
                    width=registers.integer("Width"),
                    height=registers.integer("Height"),
                ),
                frame_limit=registers.integer("AcquisitionMode"),
            )
        )
        registers.put("TwinMissedTriggerCount", 0)

    def _check_may_trigger(self, _value: float) -> None:
        is_on = self.registers.integer("TriggerMode") and self.registers.integer("TriggerSource") == _SOFTWARE
        if not (is_on and self._streamer.is_acquiring):
            raise RefusedError(Status.ACCESS_DENIED)

    def _trigger(self) -> None:
        if not self._streamer.trigger():
            self.registers.put("TwinMissedTriggerCount", self._streamer.missed_triggers)

    def _load_user_set(self) -> None:
        self.registers.restore_defaults()
        self._derive()


def _register_file(source: ImageSource, identity: Identity, netmask: str) -> RegisterFile:
    height, width = source.shape_hw
    if width % features.WIDTH_STEP or height % features.HEIGHT_STEP or width < features.WIDTH_MIN:
        raise ValueError(
            f"sensor is {height} x {width} px; the height must be a multiple of {features.HEIGHT_STEP}, the width"
            f" of {features.WIDTH_STEP} and at least {features.WIDTH_MIN}"
        )
    table = features.feature_table(
        source.shape_hw, scene_count=source.scene_count, mirror_state_count=source.mirror_state_count
    )
    own = feature_registers(table)
    plain = bootstrap.bootstrap_registers(identity, netmask=netmask, url="")
    by_name = {register.name: register for register in (*plain, *own)}
    file = genapi.zipped(f"{_FILE_NAME}.xml", genapi.genapi_xml(identity, table, registers=by_name))
    url = f"Local:{_FILE_NAME}.zip;{_FILE_ADDRESS:x};{len(file):x}"
    registers = bootstrap.bootstrap_registers(identity, netmask=netmask, url=url)
    return RegisterFile((*registers, *own), file_address=_FILE_ADDRESS, file=file)


def _check_fits(value: float, limit: int) -> None:
    if value > limit:
        raise RefusedError(Status.INVALID_PARAMETER)


def _check_packet_size(value: float) -> None:
    size = int(value) & bootstrap.SIZE_MASK
    fits = bootstrap.PACKET_SIZE_MIN <= size <= bootstrap.PACKET_SIZE_MAX
    if not fits or size % bootstrap.PACKET_SIZE_STEP:
        raise RefusedError(Status.INVALID_PARAMETER)
