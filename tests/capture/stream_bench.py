"""The scripted device and a client of it, ready to stream small pictures, and what a test expects of them."""

import gev_peer as peer
import numpy as np
import pytest

from twinlens.capture.producers import bundled_producer

SHAPE_HW, PACKET_SIZE = (40, 100), 536
STRIDE = PACKET_SIZE - 36
PACKETS = SHAPE_HW[0] * SHAPE_HW[1] // STRIDE


@pytest.fixture
def device():
    scripted = peer.ScriptedDevice()
    yield scripted
    scripted.close()


@pytest.fixture
def open_client(device, monkeypatch):
    """Opens the scripted device with packets of PACKET_SIZE and buffers of SHAPE_HW."""
    monkeypatch.setenv("TWINLENS_GEV_DEVICES", f"{device.address}:{device.port}")
    clients = []

    def open_it(*, buffer_count=4, size=SHAPE_HW[0] * SHAPE_HW[1], access=4):
        clients.append(peer.GenTLClient(bundled_producer(), buffer_count=buffer_count, size=size, access=access))
        device.registers[peer.SCPS] = PACKET_SIZE
        return clients[-1]

    yield open_it
    for client in clients:
        client.close()


def picture(seed, shape_hw=SHAPE_HW):
    return np.random.default_rng(seed).integers(1, 256, shape_hw, dtype=np.uint8)


def packets(block, pixels, *, extended=False):
    stride = STRIDE - 12 if extended else STRIDE
    return peer.image_packets(block, pixels, stride=stride, extended=extended)


def expect_complete(client, block, pixels):
    """The next frame is this one, whole, and pixel for pixel as it was sent."""
    frame = client.fetch()
    assert (frame.frame_id, frame.is_incomplete) == (block, False)
    assert frame.data[: pixels.size] == pixels.tobytes()
    client.queue(frame.handle)


def expect_incomplete(client, block, pixels, *, missing):
    """The next frame is this one, black where the payload packets `missing` belong."""
    frame = client.fetch()
    truth = pixels.ravel().copy()
    for packet_id in missing:
        truth[(packet_id - 1) * STRIDE : packet_id * STRIDE] = 0
    assert (frame.frame_id, frame.is_incomplete) == (block, True)
    assert frame.data == truth.tobytes()
    client.queue(frame.handle)
