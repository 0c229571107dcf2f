"""What a host may do over GVCP, seen from a raw socket."""

import struct
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twinlens.capture.virtual.gvcp import Status
from twinlens.errors import HostLimitError, SettingsError

VERSION, CCP, HEARTBEAT, SCP, SCPS, SCDA = 0x0, 0xA00, 0x938, 0xD00, 0xD04, 0xD18
TRIGGER_COMMANDS = 0x82


@pytest.fixture
def host(start_camera, connect):
    start_camera()
    return connect()


def within(seconds, is_true):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if is_true():
            return True
    return False


def test_discovery_tells_who_the_camera_is(host):
    status, data = host.ask(0x02)
    assert status == 0
    assert len(data) == 248
    assert data[0x24:0x28] == bytes([127, 0, 0, 2])
    assert data[0x48:].startswith(b"twinlens\0")
    assert b"virtual" in data[0x68:0x88]
    assert data[0xD8:0xE8].rstrip(b"\0") == b"VA0001"


def test_two_cameras_have_different_mac_addresses(start_camera, connect):
    start_camera(address="127.0.0.2", serial="VA0001")
    start_camera(address="127.0.0.3", serial="VB0001")
    macs = {connect(address).ask(0x02)[1][8:16] for address in ("127.0.0.2", "127.0.0.3")}
    assert len(macs) == 2


def test_a_taken_address_is_named_with_a_way_out(start_camera, free_port):
    start_camera()
    with pytest.raises(HostLimitError, match=rf"127\.0\.0\.2, UDP port {free_port}") as caught:
        start_camera()
    assert "another address" in caught.value.hint


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"address": "localhost"}, "needs one IPv4 address"),
        ({"address": "0.0.0.0"}, "needs one IPv4 address"),  # noqa: S104
        ({"serial": "0123456789ABCDEF"}, "takes 16 bytes"),
        ({"serial": ""}, "is empty"),
    ],
)
def test_a_camera_that_hosts_could_not_tell_apart_is_not_started(start_camera, wrong, message):
    with pytest.raises(SettingsError, match=message):
        start_camera(**wrong)


def test_a_foreign_address_is_refused(start_camera):
    with pytest.raises(HostLimitError, match=r"192\.0\.2\.77"):
        start_camera(address="192.0.2.77")


def test_writing_needs_control_and_reading_does_not(host, connect):
    other = connect()
    assert host.write(HEARTBEAT, 1000) == Status.ACCESS_DENIED
    host.take_control()
    assert host.write(HEARTBEAT, 1000) == Status.SUCCESS
    assert other.write(HEARTBEAT, 2000) == Status.ACCESS_DENIED
    assert other.write(CCP, 2) == Status.ACCESS_DENIED
    assert other.read(HEARTBEAT) == 1000


def test_exclusive_control_keeps_readers_out_but_lets_them_see_why(host, connect):
    other = connect()
    host.take_control(privilege=1)
    assert other.ask(0x80, struct.pack(">I", HEARTBEAT))[0] == Status.ACCESS_DENIED
    assert other.read(CCP) == 1
    assert other.ask(0x02)[0] == Status.SUCCESS
    assert host.write(CCP, 0) == Status.SUCCESS
    assert other.read(HEARTBEAT) == 3000


def test_a_silent_owner_loses_control_and_stream(host, connect, receiver):
    other = connect()
    host.take_control()
    assert host.write(HEARTBEAT, 500) == Status.SUCCESS
    host.open_stream(receiver, packet_size=1500)
    host.start(triggered=False)
    receiver.frame()
    assert within(3.0, lambda: other.write(CCP, 2) == Status.SUCCESS)
    assert other.read(SCP) == 0
    assert within(1.0, lambda: receiver.is_silent(0.3))


def test_reading_keeps_an_owner_alive(host, connect):
    other = connect()
    host.take_control()
    assert host.write(HEARTBEAT, 500) == Status.SUCCESS
    assert not within(1.0, lambda: host.read(CCP) != 2 or other.write(CCP, 2) == Status.SUCCESS)


def test_a_repeated_request_is_answered_again_and_obeyed_once(host, receiver):
    host.take_control()
    host.open_stream(receiver, packet_size=1500)
    host.start()
    address, _length, _kind = host.place("TriggerSoftware")
    trigger = struct.pack(">BBHHHII", 0x42, 1, TRIGGER_COMMANDS, 8, 0xBEEF, address, 1)
    answers = []
    for _ in range(3):
        host.tell(trigger)
        answers.append(host.hear())
    assert len(set(answers)) == 1
    assert struct.unpack_from(">HHHH", answers[0]) == (0, 0x83, 4, 0xBEEF)
    receiver.frame()
    assert receiver.is_silent(0.3)


def test_several_registers_travel_in_one_packet(host):
    status, data = host.ask(0x80, struct.pack(">III", VERSION, HEARTBEAT, 0x904))
    assert status == 0
    assert struct.unpack(">III", data) == (0x00010002, 3000, 1)
    host.take_control()
    status, data = host.ask(0x82, struct.pack(">IIIIII", HEARTBEAT, 700, 0xD08, 5, VERSION, 1))
    assert status == Status.WRITE_PROTECT
    assert struct.unpack(">HH", data) == (0, 2), "two registers were written before the refused one"
    assert (host.read(HEARTBEAT), host.read(0xD08)) == (700, 5)


@pytest.mark.parametrize(
    ("code", "payload", "status"),
    [
        (0x80, struct.pack(">I", 0x5000_0000), Status.INVALID_ADDRESS),
        (0x80, struct.pack(">I", 0x0939), Status.BAD_ALIGNMENT),
        (0x80, b"", Status.INVALID_HEADER),
        (0x84, struct.pack(">IHH", 0, 0, 6), Status.BAD_ALIGNMENT),
        (0x84, struct.pack(">IHH", 0, 0, 1000), Status.INVALID_PARAMETER),
        (0x86, struct.pack(">I", 0x0938), Status.INVALID_HEADER),
        (0x82, struct.pack(">II", HEARTBEAT, 1), Status.INVALID_PARAMETER),
        (0x82, struct.pack(">II", SCPS, 100), Status.INVALID_PARAMETER),
        (0x82, struct.pack(">II", 0x5000_0000, 1), Status.INVALID_ADDRESS),
        (0x04, bytes(12), Status.INVALID_HEADER),
        (0x7777, b"", Status.NOT_IMPLEMENTED),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_reason(host, code, payload, status):
    host.take_control()
    assert host.ask(code, payload)[0] == status


def test_a_false_length_is_refused(host):
    host.tell(struct.pack(">BBHHHI", 0x42, 1, 0x80, 8, 7, 0))
    assert struct.unpack_from(">HHHH", host.hear()) == (Status.INVALID_HEADER, 0x81, 0, 7)


datagrams = st.one_of(
    st.binary(max_size=600),
    st.builds(
        lambda code, flags, payload, claim: (
            struct.pack(">BBHHH", 0x42, flags, code, max(0, len(payload) + claim), 0xFFFF) + payload
        ),
        st.sampled_from([0x02, 0x04, 0x40, 0x80, 0x82, 0x84, 0x86, 0x100, 0xFFFF]),
        st.integers(0, 255),
        st.builds(
            lambda address, rest: struct.pack(">I", address) + rest,
            # Not the stream's destination: a wrong guess would send packets out into the network.
            st.sampled_from([0x0, 0x938, 0x944, 0xA00, 0xD04, 0xD08, 0x200, 0x41A30000, 0xFFFFFFFC])
            | st.integers(0x20000, 0x20400),
            st.binary(max_size=24) | st.just(bytes(4)) | st.just(b"\x7f\xf8" + bytes(6)),
        ),
        st.sampled_from([0, 0, 0, 0, -1, 1, 60000]),
    ),
)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(datagrams, max_size=20))
def test_no_datagram_kills_a_camera(host, packets):
    for packet in packets:
        host.tell(packet)
    assert host.read(VERSION) == 0x00010002
