"""The camera's features, found through its XML as a host finds them."""

import math
import struct
import time

import numpy as np
import pytest
from genicam.genapi import AbstractPort, EAccessMode, NodeMap, OutOfRangeException

from twinlens.capture.virtual.gvcp import Status

ROI_LOCKED = ("Width", "Height", "OffsetX", "OffsetY")


@pytest.fixture
def host(start_camera, connect):
    start_camera()
    host = connect()
    host.take_control()
    return host


class HostPort(AbstractPort):
    """The reference GenApi implementation's way to a camera's memory."""

    def __init__(self, host):
        super().__init__()
        self._host = host

    def get_access_mode(self):
        return EAccessMode.RW

    def is_open(self):
        return True

    def read(self, address, length):
        return self._host.read_memory(address, length)

    def write(self, address, data):
        status = self._host.write_memory(address, bytes(data))
        if status:
            raise RuntimeError(f"refused with 0x{status:04x}")


@pytest.fixture
def nodes(host):
    node_map = NodeMap()
    node_map.load_xml_from_string(host.xml().decode())
    port = HostPort(host)
    node_map.connect(port, "Device")
    yield node_map
    node_map.disconnect()


def test_the_reference_genapi_reads_and_writes_every_kind_of_feature(nodes):
    assert nodes.DeviceModelName.value == "MER-530-20GM-virtual"
    assert nodes.DeviceID.value == "VA0001"
    nodes.ExposureTime.value = 123.4
    assert nodes.ExposureTime.value == 123.4
    nodes.TriggerMode.value = "On"
    assert nodes.TriggerMode.value == "On"
    nodes.AcquisitionFrameRateEnable.value = False
    assert nodes.AcquisitionFrameRateMode.value == "Off"
    nodes.DeviceUserID.value = "left"
    assert nodes.DeviceUserID.value == "left"
    nodes.GevSCPSPacketSize.value = 8000
    nodes.GevSCPSDoNotFragment.value = True
    assert nodes.GevSCPSPacketSize.value == 8000
    assert nodes.PixelFormat.value == "Mono8"


def test_limits_are_the_sensors_and_the_cameras(nodes):
    assert (nodes.WidthMax.value, nodes.HeightMax.value) == (96, 64)
    assert (nodes.ExposureTime.min, nodes.ExposureTime.max) == (5.0, 1e6)
    assert nodes.AcquisitionFrameRate.max == 20.0
    assert (nodes.GevSCPSPacketSize.min, nodes.GevSCPSPacketSize.max, nodes.GevSCPSPacketSize.inc) == (
        576,
        9000,
        4,
    )
    assert (nodes.TwinSceneSelector.max, nodes.TwinMirrorStateSelector.max) == (4, 2)
    with pytest.raises(OutOfRangeException):
        nodes.ExposureTime.value = 4.0


def test_a_region_and_its_offset_share_the_sensor(nodes):
    nodes.Width.value = 32
    assert nodes.OffsetX.max == 64
    nodes.OffsetX.value = 60
    assert nodes.Width.max == 36
    assert nodes.PayloadSize.value == 32 * 64


@pytest.mark.parametrize(
    ("feature", "value"),
    [
        ("ExposureTime", 4.9),
        ("ExposureTime", 1_000_000.5),
        ("ExposureTime", math.nan),
        ("Gain", -0.1),
        ("AcquisitionFrameRate", 20.1),
        ("Width", 100),
        ("Width", 33),
        ("OffsetX", 4),
        ("PixelFormat", 0x01100005),
        ("TwinSceneSelector", 5),
        ("TriggerSource", 17),
    ],
)
def test_a_value_out_of_range_is_refused_and_not_clipped(host, feature, value):
    before = host.get(feature)
    assert host.put(feature, value) == Status.INVALID_PARAMETER
    assert host.get(feature) == before


def test_half_a_float_is_refused(host):
    address, _length, _kind = host.place("ExposureTime")
    assert host.write(address, 0x40000000) == Status.INVALID_PARAMETER


def test_the_region_is_locked_while_transport_is(host):
    assert host.put("TLParamsLocked", 1) == 0
    for feature in ROI_LOCKED:
        assert host.put(feature, host.get(feature)) == Status.WRITE_PROTECT
    assert host.put("TwinSceneSelector", 3) == 0
    assert host.put("TLParamsLocked", 0) == 0
    assert host.put("Width", 32) == 0


def test_loading_the_default_user_set_restores_every_setting(host):
    for feature, value in (("Width", 32), ("ExposureTime", 77.0), ("TriggerMode", 1), ("TwinSceneSelector", 2)):
        assert host.put(feature, value) == 0
    assert host.put("UserSetLoad", 1) == 0
    assert [host.get(f) for f in ("Width", "ExposureTime", "TriggerMode", "TwinSceneSelector")] == [96, 1e4, 0, 0]
    assert host.get("PayloadSize") == 96 * 64


def test_a_latched_timestamp_advances_with_the_hosts_clock(host):
    assert host.get("GevTimestampTickFrequency") == 1_000_000_000
    latched, around = [], []
    for _ in range(2):
        before = time.monotonic_ns()
        assert host.write(0x944, 2) == 0
        around.append((before, time.monotonic_ns()))
        latched.append(host.get("GevTimestampValue"))
    least, most = around[1][0] - around[0][1], around[1][1] - around[0][0]
    assert least <= latched[1] - latched[0] <= most


def test_a_test_packet_has_the_size_that_was_asked_for(host, receiver):
    host.open_stream(receiver, packet_size=1500)
    for size in (576, 1500, 8000):
        assert host.write(0xD04, 0xC0000000 | size) == 0
        assert len(receiver.datagram()) == size - 28
        assert host.read(0xD04) == 0x40000000 | size


def test_floats_travel_as_they_are(host):
    value = float(np.nextafter(5000.0, 6000.0))
    assert host.put("ExposureTime", value) == 0
    assert struct.pack(">d", host.get("ExposureTime")) == struct.pack(">d", value)


@pytest.mark.parametrize(("name", "bits"), [("Mono8", 8), ("Mono10", 16), ("Mono10p", 10), ("Mono10Packed", 12)])
def test_the_payload_follows_the_pixel_format(nodes, name, bits):
    nodes.PixelFormat.value = name
    assert nodes.PixelFormat.value == name
    assert nodes.PayloadSize.value == 96 * 64 * bits // 8


def test_a_format_that_the_link_cannot_carry_slows_the_camera_down(start_camera, connect, ramp):
    start_camera(ramp((480, 640)), address="127.0.0.3", bytes_per_s=10e6)
    host = connect("127.0.0.3")
    host.take_control()
    assert host.put("AcquisitionFrameRate", 20.0) == 0
    assert host.get("CurrentAcquisitionFrameRate") == pytest.approx(20.0)
    assert host.put("PixelFormat", 0x01100003) == 0
    assert host.get("CurrentAcquisitionFrameRate") == pytest.approx(10e6 / (640 * 480 * 2), rel=0.01)


def test_the_reference_genapi_finds_daheng_s_names(nodes):
    nodes.TriggerSource.value = "Line0"
    nodes.TriggerDelay.value = 20.0
    nodes.TriggerFilterRaisingEdge.value = 5.0
    nodes.LineSelector.value = "Line1"
    assert nodes.LineMode.value == "Output"
    assert nodes.LineSource.value == "UserOutput0"
    nodes.LineSource.value = "Strobe"
    nodes.GevSupportedOptionSelector.value = "Action"
    assert nodes.GevSupportedOption.value is True
    nodes.GevSupportedOptionSelector.value = "Ptp"
    assert nodes.GevSupportedOption.value is False
    nodes.ActionDeviceKey.value, nodes.ActionGroupKey.value, nodes.ActionGroupMask.value = 1, 2, 3
    nodes.BlackLevel.value = 3.5
    assert nodes.BlackLevel.value == 3.5
    assert 20 < nodes.DeviceTemperature.value < 60
    nodes.TimestampLatch.execute()
    first = nodes.TimestampLatchValue.value
    nodes.TimestampLatch.execute()
    assert nodes.TimestampLatchValue.value > first
    nodes.ChunkModeActive.value = True
    chunks = [node.symbolic for node in nodes.ChunkSelector.entries]
    assert chunks[:3] == ["FrameID", "Timestamp", "CounterValue"], "MERCURY's; a virtual camera has one more"


def test_each_chunk_is_enabled_for_itself(host):
    assert host.put("ChunkSelector", 1) == 0
    assert host.put("ChunkEnable", 1) == 0
    assert host.put("ChunkSelector", 0) == 0
    assert host.get("ChunkEnable") == 0
    assert host.put("ChunkSelector", 1) == 0
    assert host.get("ChunkEnable") == 1


def test_loading_the_user_set_restores_what_selectors_hide(host):
    for name, value in (("PixelFormat", 0x01100003), ("TriggerDelay", 3.0), ("BlackLevel", 2.0)):
        assert host.put(name, value) == 0
    assert host.put("ChunkSelector", 2) == 0
    assert host.put("ChunkEnable", 1) == 0
    assert host.put("UserSetLoad", 1) == 0
    assert (host.get("PixelFormat"), host.get("PayloadSize")) == (0x01080001, 96 * 64)
    assert (host.get("TriggerDelay"), host.get("BlackLevel")) == (0, 0)
    assert host.put("ChunkSelector", 2) == 0
    assert host.get("ChunkEnable") == 0
