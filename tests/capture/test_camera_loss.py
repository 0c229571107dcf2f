"""A camera that goes away: everybody who waits for it is told, at once and why, and closing it takes no time."""

import socket
import struct
import threading
from contextlib import ExitStack

import gentl_control as gentl
import gvcp_peer as gvcp
import pytest
from genicam import genapi
from genicam.gentl import GenericException
from harvesters.core import Harvester, ImageAcquirer, ParameterKey, ParameterSet

from twinlens.capture.producers import bundled_producer
from twinlens.capture.virtual.rehearse import virtual_rig
from twinlens.capture.virtual.twin import TwinSettings

ADDRESSES = ("127.0.6.2", "127.0.6.3")
LONG_MS = 20_000


def lost(client, device) -> str:
    """Waits for the device-lost event; what it says."""
    event = client.register_event(device, gentl.EVENT_ERROR)
    code, data = client.wait(event, LONG_MS)
    assert code == 0, client.last_error()
    return client.event_value(event, data).decode()


def test_the_module_event_of_a_loss_is_a_message_a_gige_vision_adapter_takes(peer, client) -> None:
    device = client.open()
    event = client.register_event(device, gentl.EVENT_MODULE)
    peer.registers[gvcp.CCP] = 0
    code, data = client.wait(event, LONG_MS)
    assert code == 0
    message = client.event_value(event, data)
    key, command, size = struct.unpack(">BxHH", message[:6])
    assert (key, command, size) == (0x42, 0xC2, len(message) - 8)
    assert message[8:12] == b"\0\0\0\1"
    assert b"the camera took control away" in message[24:]


def test_a_silent_camera_is_lost_and_every_access_says_so_at_once(peer, client) -> None:
    device = client.open()
    port = client.port(device)
    peer.fall_silent()
    assert "camera PEER at 127.0.0.7 is lost: no answer to READREG 0x00000a00" in lost(client, device)
    asked = len(peer.requests)
    for _ in range(3):
        assert client.try_read(port, 0x5000, 4)[0] == gentl.IO
        assert "camera PEER at 127.0.0.7 is lost: no answer" in client.last_error()
    assert client.access_status(client.ids()[0]) == 3
    assert client.library.DevClose(device) == 0
    assert len(peer.requests) == asked  # nothing waits for answers any more


def test_a_command_that_is_never_answered_loses_the_camera_too(peer, client) -> None:
    device = client.open()
    port = client.port(device)
    peer.fall_silent()
    assert client.try_read(port, 0x5000, 4)[0] == gentl.IO
    assert client.try_read(port, 0x5000, 4)[0] == gentl.IO
    assert "is lost" in client.last_error()


def test_the_application_that_took_control_is_named(peer, client) -> None:
    device = client.open()
    peer.registers[gvcp.OWNER_ADDRESS] = int.from_bytes(socket.inet_aton("10.1.2.3"), "big")
    peer.registers[gvcp.OWNER_PORT] = 4711
    assert "control was taken by 10.1.2.3, port 4711" in lost(client, device)


def test_a_thief_that_hides_its_address_is_noticed(peer, client) -> None:
    device = client.open()
    hidden = gvcp.OWNER_ADDRESS.to_bytes(4, "big")
    peer.hook = lambda command, request_id, payload, right: (
        [gvcp.acknowledge(command, request_id, status=0x8006)] if payload == hidden else [right]
    )
    assert "another application took control" in lost(client, device)


def test_control_is_watched_on_a_camera_that_does_not_tell_its_owner(peer, client) -> None:
    peer.tells_owner = False
    device = client.open()

    def deny(command: int, request_id: int, _payload: bytes, right: bytes) -> list[bytes]:
        if command != gvcp.WRITE_REGISTER:
            return [right]
        return [gvcp.acknowledge(command, request_id, status=0x8006)]

    peer.hook = deny
    assert "another application took control" in lost(client, device)


def test_a_restarted_camera_no_longer_belongs_to_us(peer, client) -> None:
    device = client.open()
    peer.registers[gvcp.CCP] = 0
    assert "the camera took control away" in lost(client, device)


def test_a_camera_in_use_says_by_whom(peer, client) -> None:
    peer.tells_owner = False  # the registers name somebody else, whoever writes
    peer.registers[gvcp.OWNER_ADDRESS] = int.from_bytes(socket.inet_aton("10.1.2.3"), "big")
    peer.hook = lambda command, request_id, _payload, right: (
        [gvcp.acknowledge(command, request_id, status=0x8006)] if command == gvcp.WRITE_REGISTER else [right]
    )
    code, _device = client.try_open()
    assert code == gentl.ACCESS_DENIED
    assert "another application controls it (10.1.2.3)" in client.last_error()


def test_who_waits_for_a_frame_is_woken_by_the_loss(peer, client) -> None:
    device = client.open()
    stream = gentl.ctypes.c_void_p()
    client.call("DevOpenDataStream", device, b"stream0", gentl.ctypes.byref(stream))
    event = client.register_event(stream, gentl.EVENT_NEW_BUFFER)
    error = client.register_event(device, gentl.EVENT_ERROR)
    answers: list[tuple[int, str]] = []

    def wait() -> None:
        code, _data = client.wait(event, 2**64 - 1)
        answers.append((code, client.last_error()))

    waiter = threading.Thread(target=wait)
    waiter.start()
    peer.fall_silent()
    waiter.join(LONG_MS / 1000)
    assert [code for code, _text in answers] == [gentl.IO]
    assert "is lost" in answers[0][1]
    assert client.wait(error, LONG_MS)[0] == 0
    assert client.wait(error, 0)[0] == gentl.TIMEOUT


def fetch_for_ever(acquirer: ImageAcquirer) -> None:
    while True:
        buffer = acquirer.try_fetch(timeout=20)
        assert buffer is not None
        buffer.queue()


@pytest.mark.parametrize("monitored", [False, True])
def test_harvesters_survives_an_unplugged_camera(*, monitored: bool) -> None:
    with ExitStack() as rig:
        rig.enter_context(virtual_rig(TwinSettings(shape_hw=(96, 128), seed=5), addresses=ADDRESSES))
        harvester = Harvester()
        harvester.add_file(str(bundled_producer()))
        harvester.update()
        try:
            acquirer = harvester.create(0, config=ParameterSet({ParameterKey.ENABLE_EVENT_MONITOR: monitored}))
            acquirer.start()
            acquirer.fetch(timeout=10).queue()
            rig.close()  # both cameras are gone, without a word
            with pytest.raises(GenericException, match="is lost: no answer"):
                fetch_for_ever(acquirer)
            with pytest.raises((GenericException, genapi.GenericException), match="is lost"):
                _ = acquirer.remote_device.node_map.Width.value
            assert acquirer.device.node_map.DeviceIsLost.value == 1
            with pytest.raises(GenericException, match="is lost"):
                acquirer.stop()  # harvesters lets AcquisitionStop's error through, and has stopped by then
            acquirer.destroy()
        finally:
            harvester.reset()
