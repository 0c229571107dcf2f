"""One contract for every GenTL producer that harvesters may be given, and what ours shows beyond it."""

import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import genicam
import numpy as np
import pytest
from genicam.gentl import GenericException
from harvesters.core import Harvester, ImageAcquirer

from twinlens.capture.producers import bundled_producer
from twinlens.capture.virtual.rehearse import virtual_rig
from twinlens.capture.virtual.source import Shot
from twinlens.capture.virtual.stamp import STAMP_WIDTH, read_trigger
from twinlens.capture.virtual.twin import RigTwin, TwinSettings

VIKY = Path(genicam.__file__).with_name("viky.cti")
ADDRESSES = ("127.0.5.2", "127.0.5.3")
SERIALS = {"CA": "a", "CB": "b"}
SHAPE_HW = (240, 320)
TWIN = TwinSettings(shape_hw=SHAPE_HW, seed=5)


@pytest.fixture(scope="module")
def twin() -> RigTwin:
    """The truth behind the cameras."""
    return RigTwin(TWIN)


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """Two cameras in a process of their own (harvesters keeps the GIL while it waits); their addresses."""
    with virtual_rig(TWIN, addresses=ADDRESSES, serials=tuple(SERIALS)):
        yield " ".join(ADDRESSES)


@pytest.fixture
def ours(served: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Our producer, with the two cameras listed."""
    monkeypatch.setenv("TWINLENS_GEV_DEVICES", served)
    return bundled_producer()


@pytest.fixture(params=["ours", "viky"])
def producer(request: pytest.FixtureRequest) -> Path:
    """Every producer that can be had without a vendor's SDK."""
    return VIKY if request.param == "viky" else request.getfixturevalue("ours")


@contextmanager
def harvesting(producer: Path) -> Iterator[Harvester]:
    harvester = Harvester()
    harvester.add_file(str(producer))
    harvester.update()
    try:
        yield harvester
    finally:
        harvester.reset()


@pytest.fixture
def harvester(ours: Path) -> Iterator[Harvester]:
    with harvesting(ours) as open_harvester:
        yield open_harvester


def take(acquirer: ImageAcquirer, *, timeout_s: float = 10.0) -> tuple[int, np.ndarray]:
    """(frame id, a copy of the flat pixels) of the next complete frame."""
    buffer = acquirer.try_fetch(timeout=timeout_s)
    assert buffer is not None, "no complete frame in time"
    with buffer:
        return buffer.frame_id, np.array(buffer.payload.components[0].data)


def free_running(acquirer: ImageAcquirer) -> None:
    """Back to what the camera does after power-up, whatever an earlier test set."""
    if hasattr(acquirer.remote_device.node_map, "UserSetLoad"):
        acquirer.remote_device.node_map.UserSetLoad.execute()


def triggered(acquirer: ImageAcquirer) -> None:
    free_running(acquirer)
    acquirer.remote_device.node_map.TriggerMode.value = "On"
    acquirer.remote_device.node_map.TriggerSource.value = "Software"


def fire(acquirer: ImageAcquirer) -> None:
    acquirer.remote_device.node_map.TriggerSoftware.execute()


def expect_frame(acquirer: ImageAcquirer, twin: RigTwin, trigger_index: int) -> None:
    """The next frame answers this trigger and equals its source in every byte but the stamp."""
    nodes = acquirer.remote_device.node_map
    frame_id, flat = take(acquirer)
    shot = Shot(trigger_index, 0, 0, nodes.ExposureTime.value, nodes.Gain.value)
    truth = twin.view(SERIALS[nodes.DeviceSerialNumber.value]).frame(shot)
    assert (frame_id, read_trigger(flat.reshape(SHAPE_HW))) == (trigger_index + 1, trigger_index)
    assert np.array_equal(flat[STAMP_WIDTH:], truth.ravel()[STAMP_WIDTH:])


# --- the contract: ours and viky


def test_a_producer_lists_distinct_cameras(producer: Path) -> None:
    with harvesting(producer) as harvester:
        ids = [device.id_ for device in harvester.device_info_list]
    assert len(ids) >= 2
    assert len(set(ids)) == len(ids)


def test_frames_come_with_rising_ids_and_begin_anew_after_each_start(producer: Path) -> None:
    with harvesting(producer) as harvester:
        acquirer = harvester.create(0)
        free_running(acquirer)
        first_ids = []
        for _ in range(3):
            acquirer.start()
            ids = [take(acquirer)[0] for _ in range(5)]
            acquirer.stop()
            assert ids == sorted(set(ids))
            first_ids.append(ids[0])
    assert first_ids == [1, 1, 1]


def test_a_producer_can_be_closed_and_opened_again(producer: Path) -> None:
    for _ in range(3):
        with harvesting(producer) as harvester:
            acquirer = harvester.create(0)
            free_running(acquirer)
            acquirer.start()
            assert take(acquirer)[1].size > 0


def test_every_module_of_a_producer_describes_itself(producer: Path) -> None:
    with harvesting(producer) as harvester:
        acquirer = harvester.create(0)
        free_running(acquirer)
        assert acquirer.system.node_map.TLVendorName.value
        assert acquirer.interface.node_map.InterfaceID.value
        assert acquirer.device.node_map.DeviceID.value == acquirer.device.id_
        assert acquirer.data_streams[0].node_map.StreamID.value


# --- ours alone


@pytest.mark.parametrize("packet_size", [1500, 8000])
def test_every_byte_arrives_at_either_packet_size(harvester: Harvester, twin: RigTwin, packet_size: int) -> None:
    acquirer = harvester.create({"serial_number": "CA"})
    assert acquirer.remote_device.node_map.GevSCPSPacketSize.value == 8000
    acquirer.remote_device.node_map.GevSCPSPacketSize.value = packet_size
    triggered(acquirer)
    acquirer.start()
    for index in range(6):
        fire(acquirer)
        expect_frame(acquirer, twin, index)
    nodes = acquirer.data_streams[0].node_map
    assert nodes.StreamPacketSize.value == packet_size
    assert nodes.StreamDeliveredFrameCount.value == 6
    assert nodes.StreamIncompleteFrameCount.value == 0
    assert nodes.StreamLostPacketCount.value == 0
    assert nodes.StreamUnderrunCount.value == 0
    assert nodes.StreamReceiveBufferSize.value > 0
    assert nodes.StreamIsGrabbing.value == 1


def test_time_passes_between_frames_as_the_camera_says(harvester: Harvester) -> None:
    acquirer = harvester.create({"serial_number": "CA"})
    free_running(acquirer)
    acquirer.remote_device.node_map.AcquisitionFrameRate.value = 20.0
    acquirer.start()
    stamps = []
    for _ in range(4):
        with acquirer.fetch(timeout=10) as buffer:
            assert buffer.timestamp == buffer.timestamp_ns
            stamps.append(buffer.timestamp_ns)
    # A virtual camera may be late on a busy computer, but never early.
    assert np.diff(stamps).min() > 0.9 * 1e9 / 20
    assert acquirer.device.timestamp_frequency > 0


def test_two_cameras_stream_at_once_and_stay_apart(harvester: Harvester, twin: RigTwin) -> None:
    acquirers = [harvester.create({"serial_number": serial}) for serial in SERIALS]
    for acquirer in acquirers:
        triggered(acquirer)
        acquirer.start()
    for index in range(5):
        for acquirer in acquirers:
            fire(acquirer)
        for acquirer in acquirers:
            expect_frame(acquirer, twin, index)


def test_a_window_of_the_sensor_arrives_with_its_place(harvester: Harvester) -> None:
    acquirer = harvester.create({"serial_number": "CA"})
    free_running(acquirer)
    nodes = acquirer.remote_device.node_map
    nodes.Width.value, nodes.Height.value, nodes.OffsetX.value, nodes.OffsetY.value = 64, 40, 16, 8
    acquirer.start()
    with acquirer.fetch(timeout=10) as buffer:
        part = buffer.payload.components[0]
        assert (part.width, part.height, part.x_offset, part.y_offset) == (64, 40, 16, 8)
        assert part.data_format == "Mono8"
        assert part.data.size == 64 * 40


def test_a_camera_another_program_controls_is_refused_with_its_name(harvester: Harvester) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.connect((ADDRESSES[0], 3956))
        other.settimeout(5)
        other.send(struct.pack(">BBHHHII", 0x42, 1, 0x82, 8, 1, 0x0A00, 2))  # WRITEREG CCP, control
        assert other.recv(64)[:2] == b"\0\0"
        with pytest.raises(GenericException, match=rf"camera CA at {ADDRESSES[0]}: .* another application"):
            harvester.create({"serial_number": "CA"})
        other.send(struct.pack(">BBHHHII", 0x42, 1, 0x82, 8, 2, 0x0A00, 0))
        assert other.recv(64)[:2] == b"\0\0"
    harvester.create({"serial_number": "CA"})


def test_a_camera_is_open_once_and_again_after_it_was_closed(harvester: Harvester) -> None:
    first = harvester.create({"serial_number": "CA"})
    with pytest.raises(GenericException):
        harvester.create({"serial_number": "CA"})
    first.destroy()
    harvester.create({"serial_number": "CA"})


def test_a_register_the_camera_lacks_is_named_in_the_error(harvester: Harvester) -> None:
    acquirer = harvester.create({"serial_number": "CB"})
    with pytest.raises(
        GenericException, match=rf"camera CB at {ADDRESSES[1]}: READREG 0x7ffffff0: no such address"
    ):
        acquirer.remote_device.port.read(0x7FFFFFF0, 4)


def test_no_thread_and_no_socket_outlives_its_producer(ours: Path) -> None:
    def held() -> tuple[int, int]:
        return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    counts = []
    for _ in range(3):
        with harvesting(ours) as harvester:
            acquirer = harvester.create({"serial_number": "CA"})
            free_running(acquirer)
            acquirer.start()
            take(acquirer)
            assert held() > (counts[0] if counts else (0, 0))
        _wait_until(lambda: not counts or held() <= counts[0])
        counts.append(held())
    assert counts[1] <= counts[0]
    assert counts[2] <= counts[0]


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
