"""Who may ask a camera for packets again, and what the log says of it."""

import struct

import pytest

from twinlens.capture.virtual.faults import Faults

RESEND = 0x40
PACKET_RESENT = 0x0100


@pytest.fixture
def stream(start_camera, connect, receiver):
    """Starts a camera that has sent one frame; (camera, its owner's host)."""

    def start(**faults):
        camera = start_camera(faults=Faults(**faults))
        host = connect()
        host.take_control()
        host.open_stream(receiver, packet_size=576)
        host.start()
        assert host.put("TriggerSoftware", 1) == 0
        receiver.frame()
        return camera, host

    return start


def ask(host, block, first, last):
    host.tell(struct.pack(">BBHHHHHII", 0x42, 0, RESEND, 12, 55, 0, block, first, last))


def test_the_owner_gets_packets_again_and_the_log_counts_them(stream, receiver):
    camera, host = stream()
    ask(host, 1, 2, 4)
    again = [receiver.datagram() for _ in range(3)]
    assert [struct.unpack_from(">HHI", packet) for packet in again] == [
        (PACKET_RESENT, 1, 3 << 24 | packet_id) for packet_id in (2, 3, 4)
    ]
    host.read(0x938)  # the camera is done with the request
    assert [(entry.block_id, entry.resent_packets) for entry in camera.log] == [(1, 3)]


def test_a_camera_that_offers_no_resend_ignores_the_request(stream, receiver):
    _camera, host = stream(offers_resend=False)
    ask(host, 1, 1, 4)
    assert receiver.is_silent(0.2)
