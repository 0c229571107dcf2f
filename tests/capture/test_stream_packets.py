"""Packets that are no good, and what is counted of the rest: nothing is written where it does not belong."""

import itertools
import random
import socket
import struct

import numpy as np
import pytest
import stream_bench as bench

peer = bench.peer
device, open_client = bench.device, bench.open_client
PACKETS, STRIDE, picture, packets = bench.PACKETS, bench.STRIDE, bench.picture, bench.packets
expect_complete, expect_incomplete = bench.expect_complete, bench.expect_incomplete
TIMEOUT, INVALID_VALUE, ACCESS_DENIED = -1011, -1019, -1005


@pytest.fixture
def client(open_client):
    opened = open_client()
    opened.start()
    return opened


def patch(packet: bytes, at: int, form: str, value: int) -> bytes:
    changed = bytearray(packet)
    struct.pack_into(form, changed, at, value)
    return bytes(changed)


LEADER, THIRD = packets(1, picture(1))[0], packets(1, picture(1))[3]
BAD = {
    "nothing": b"",
    "half a header": THIRD[:5],
    "header alone": THIRD[:8],
    "one byte short": THIRD[:-1],
    "one byte long": THIRD + b"x",
    "twice as long": THIRD + THIRD[8:],
    "as long as can be": THIRD + bytes(60000),
    "packet 0": patch(THIRD, 5, ">H", 0)[:7] + b"\0" + THIRD[8:],
    "behind the last packet": peer.payload(1, PACKETS + 1, bytes(STRIDE)),
    "far behind": peer.payload(1, (1 << 24) - 1, bytes(STRIDE)),
    "block 0": patch(THIRD, 2, ">H", 0),
    "unknown format": patch(THIRD, 4, ">B", 5),
    "reserved bits": patch(THIRD, 4, ">B", 0x43),
    "half an extended header": patch(THIRD, 4, ">B", 0x83)[:19],
    "leader cut short": LEADER[:40],
    "leader of no image": patch(LEADER, 10, ">H", 5),
    "leader without lines": patch(LEADER, 28, ">I", 0),
    "leader of 2^32 columns": patch(LEADER, 24, ">I", 2**32 - 1),
}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("extended", [False, True])
def test_packets_that_arrive_merged_are_told_apart(device, open_client, seed, extended) -> None:
    chance = random.Random(seed)
    pixels = picture(seed, (250, 97))
    client = open_client(buffer_count=16, size=pixels.size)
    client.start()
    for block in range(1, 31):
        first, *body, last = peer.image_packets(block, pixels, stride=STRIDE - 12 * extended, extended=extended)
        lost = set(chance.sample(range(len(body)), block % 3))
        body = [packet for number, packet in enumerate(body) if number not in lost]
        cuts = sorted([0, len(body), *(chance.randrange(len(body)) for _ in range(block % 5))])
        bursts = [body[start:end] for start, end in itertools.pairwise(cuts) if start < end]
        if block % 4 == 0:
            chance.shuffle(bursts)
        device.send(first)
        for burst in bursts:
            device.send_merged(burst)
        device.send(last)
        frame = client.fetch()
        truth = pixels.ravel().copy()
        for number in lost:
            truth[number * (STRIDE - 12 * extended) :][: STRIDE - 12 * extended] = 0
        assert (frame.frame_id, frame.is_incomplete) == (block, bool(lost))
        assert frame.data == truth.tobytes()
        client.queue(frame.handle)
    assert not client.has_overrun()
    assert client.count("invalid") == 0


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_bad_packet_is_counted_and_changes_nothing(device, client, bad) -> None:
    sent = packets(1, picture(1))
    device.send(bad, sent[0])
    for packet in sent[1:]:
        device.send(bad, packet)
    expect_complete(client, 1, picture(1))
    # Before the leader, a payload packet that is too short may be the last one.
    assert client.count("invalid") - len(sent) in (-1, 0)
    assert not client.has_overrun()


def test_packets_of_a_stranger_are_counted_as_invalid(device, client) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.8", 0))
        for mine, other in zip(packets(1, picture(1)), packets(1, picture(2)), strict=True):
            stranger.sendto(other, ("127.0.0.1", device.registers[peer.SCP]))
            device.send(mine)
    expect_complete(client, 1, picture(1))
    assert client.count("invalid") == PACKETS + 2


def test_packets_that_come_twice_or_too_late_are_counted(device, client) -> None:
    sent = packets(1, picture(1))
    device.send(*sent[:4], sent[0], sent[2], sent[3], *sent[4:])
    expect_complete(client, 1, picture(1))
    device.send(*sent)
    device.send(*packets(2, picture(2)))
    expect_complete(client, 2, picture(2))
    assert client.count("duplicates") == 3 + len(sent)


@pytest.mark.parametrize("first", [1, 65532])
def test_frames_of_which_nothing_arrived_are_counted(device, client, first) -> None:
    for step in (0, 3, 4):
        block = (first - 1 + step) % 65535 + 1
        device.send(*packets(block, picture(step)))
        expect_complete(client, block, picture(step))
    assert client.count("lost_frames") == 2


def test_ids_that_start_again_are_no_lost_frames(device, client) -> None:
    for ticks, block in enumerate([40000, 40001, 1, 2], start=1):
        device.send(*peer.image_packets(block, picture(block), stride=STRIDE, ticks=ticks))
        expect_complete(client, block, picture(block))
    assert client.count("lost_frames") == 0


def test_a_damaged_leader_does_not_lock_the_stream_out(device, client) -> None:
    device.send(*packets(7, picture(7)))
    device.send(peer.leader(30000, shape_hw=bench.SHAPE_HW, ticks=2**63))
    for block in (8, 9, 10):
        device.send(*packets(block, picture(block)))
    frames = [client.fetch() for _ in range(4)]
    assert [frame.frame_id for frame in frames] == [7, 30000, 8, 9]
    assert [frame.is_incomplete for frame in frames] == [False, True, False, False]
    client.queue(frames[0].handle)
    assert all(frame.data == picture(frame.frame_id).tobytes() for frame in frames if not frame.is_incomplete)


def test_what_is_known_of_an_incomplete_frame_stays_readable_until_it_is_refilled(device, client) -> None:
    info = peer.BUFFER_INFO_CMD_LIST
    device.send(*(packet for number, packet in enumerate(packets(7, picture(7))) if number != 3))
    frame = client.fetch()
    client.queue(frame.handle)
    known = [info.BUFFER_INFO_FRAMEID, info.BUFFER_INFO_IS_INCOMPLETE, info.BUFFER_INFO_TIMESTAMP]
    assert [client.about(frame.handle, command) for command in known] == [7, 1, 7]
    assert client.about(frame.handle, info.BUFFER_INFO_NEW_DATA) == 0


def test_a_buffer_flushed_unfilled_is_no_frame(device, client) -> None:
    device.send(*packets(7, picture(7)))
    frame = client.fetch()
    client.queue(frame.handle)
    assert client.library.DSFlushQueue(client.stream, 0) == 0  # input to output
    for _ in range(4):
        code, handle = client.wait(timeout_ms=50)
        assert code == 0
        assert client.about(handle, peer.BUFFER_INFO_CMD_LIST.BUFFER_INFO_NEW_DATA) == 0
        assert client.about(handle, peer.BUFFER_INFO_CMD_LIST.BUFFER_INFO_SIZE_FILLED) == 0


def test_the_receive_buffer_is_granted_as_asked_within_bounds(device, client) -> None:
    assert client.count("receive_buffer_request") == 16 << 20
    assert client.count("receive_buffer") > 200_000
    for wrong in (0, 65535, 1 << 40):
        assert client.write_node("StreamReceiveBufferRequest", wrong) == INVALID_VALUE
    assert client.write_node("StreamPacketSize", 1500) == ACCESS_DENIED
    client.stop()
    assert client.write_node("StreamReceiveBufferRequest", 212_992) == 0
    client.start()
    assert client.count("receive_buffer") == 212_992
    device.send(*packets(1, picture(1)))
    expect_complete(client, 1, picture(1))


@pytest.mark.parametrize("resends", [False, True])
def test_the_classic_receive_buffer_loses_packets_but_calls_no_wrong_frame_complete(
    device, open_client, resends
) -> None:
    shape_hw = (1024, 1024)
    blocks = {block: peer.image_packets(block, picture(block, shape_hw), stride=STRIDE) for block in range(1, 5)}
    device.registers[peer.CAPABILITY] = peer.RESEND_OFFERED * resends
    device.resend = lambda block, packet_id: [blocks[block][packet_id]]
    client = open_client(size=shape_hw[0] * shape_hw[1])
    assert client.write_node("StreamReceiveBufferRequest", 212_992) == 0
    client.start()
    for sent in blocks.values():
        device.send(*sent)  # 1 MiB at once
    incomplete = 0
    for block in blocks:
        frame = client.fetch()
        truth = np.frombuffer(picture(block, shape_hw).tobytes(), np.uint8)
        found = np.frombuffer(frame.data, np.uint8)
        wrong = found != truth
        assert frame.frame_id == block
        assert frame.is_incomplete == bool(wrong.any())
        assert (found[wrong] == 0).all()
        incomplete += frame.is_incomplete
    assert client.count("incomplete") == incomplete
    assert not (resends and incomplete)
