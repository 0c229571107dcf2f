"""What the producer makes of a stream that is not as it should be: no wrong pixel is ever called complete."""

import random
import socket
import struct
import threading
import time

import pytest
import stream_bench as bench

TIMEOUT, ABORT, ACCESS_DENIED, BUSY, INVALID_HANDLE, IO = -1011, -1012, -1005, -1022, -1006, -1010


peer = bench.peer
device, open_client = bench.device, bench.open_client
SHAPE_HW, STRIDE, PACKETS = bench.SHAPE_HW, bench.STRIDE, bench.PACKETS
picture, packets, expect_complete = bench.picture, bench.packets, bench.expect_complete


@pytest.fixture
def client(open_client):
    opened = open_client()
    opened.start()
    return opened


@pytest.mark.parametrize("first", [1, 7, 65400, 65535])
def test_any_first_block_id_is_accepted_and_wraps_to_1(device, client, first) -> None:
    blocks = [(first - 1 + step) % 65535 + 1 for step in range(3)]
    for block in blocks:
        device.send(*packets(block, picture(block)))
        expect_complete(client, block, picture(block))


@pytest.mark.parametrize("lost", [1, 3, PACKETS])
def test_a_lost_packet_makes_the_frame_incomplete_black_there_and_counted(device, client, lost) -> None:
    sent = packets(1, picture(1))
    device.send(*(packet for number, packet in enumerate(sent) if number != lost))
    frame = client.fetch()
    truth = picture(1).ravel()
    truth[(lost - 1) * STRIDE : lost * STRIDE] = 0
    assert frame.is_incomplete
    assert frame.data == truth.tobytes()
    assert (client.count("incomplete"), client.count("lost_packets")) == (1, 1)


def test_a_frame_after_a_lossy_one_is_whole(device, client) -> None:
    device.send(*packets(1, picture(1))[:-3], *packets(2, picture(2)))
    assert client.fetch().is_incomplete
    expect_complete(client, 2, picture(2))


def test_a_lost_leader_makes_the_frame_incomplete(device, client) -> None:
    device.send(*packets(1, picture(1))[1:])
    assert client.fetch().is_incomplete


def test_a_lost_trailer_costs_no_pixel(device, client) -> None:
    device.send(*packets(1, picture(1))[:-1], *packets(2, picture(2)))
    expect_complete(client, 1, picture(1))
    expect_complete(client, 2, picture(2))
    assert (client.count("incomplete"), client.count("lost_packets")) == (0, 1)


@pytest.mark.parametrize("seed", range(5))
def test_packets_in_any_order_and_twice_give_the_same_frame(device, client, seed) -> None:
    sent = packets(1, picture(1))
    body = sent[1:] + sent[3:6]
    random.Random(seed).shuffle(body)
    device.send(sent[0], *body)
    expect_complete(client, 1, picture(1))


def test_a_late_leader_is_still_understood(device, client) -> None:
    sent = packets(1, picture(1))
    device.send(sent[1], sent[2], sent[0], *sent[3:])
    expect_complete(client, 1, picture(1))


def test_two_interleaved_blocks_are_both_whole(device, client) -> None:
    first, second = packets(1, picture(1)), packets(2, picture(2))
    device.send(*first[:-4], *second[:3], *first[-4:], *second[3:])
    expect_complete(client, 1, picture(1))
    expect_complete(client, 2, picture(2))


def test_a_camera_that_restarts_its_ids_is_followed(device, client) -> None:
    for ticks, block in enumerate([1, 2, 3, 1, 2], start=1):
        pixels = picture(ticks)
        device.send(*peer.image_packets(block, pixels, stride=STRIDE, ticks=ticks))
        expect_complete(client, block, pixels)


def test_a_frame_without_a_queued_buffer_is_an_underrun(device, client) -> None:
    for block in range(1, 7):
        device.send(*packets(block, picture(block)))
    held = [client.fetch() for _ in range(4)]
    while client.count("num_started") < 6:
        assert client.wait(timeout_ms=5)[0] == TIMEOUT
    for frame in held:
        client.queue(frame.handle)
    device.send(*packets(7, picture(7)))
    expect_complete(client, 7, picture(7))
    assert [frame.frame_id for frame in held] == [1, 2, 3, 4]
    assert client.count("num_underrun") == 2


def test_a_frame_larger_than_its_buffer_stays_inside_it(device, open_client) -> None:
    client = open_client(size=SHAPE_HW[0] * SHAPE_HW[1] - 700)
    client.start()
    device.send(*packets(1, picture(1)))
    frame = client.fetch()
    assert frame.is_incomplete
    assert frame.larger_than_buffer
    assert not client.has_overrun()


def test_malformed_packets_harm_no_frame(device, client) -> None:
    chance = random.Random(3)
    good = packets(1, picture(1))
    for packet in good:
        for _ in range(40):
            rubbish = bytearray(
                packet[: chance.randrange(len(packet) + 1)] + chance.randbytes(chance.choice([0, 0, 3, 9000]))
            )
            for _ in range(chance.randrange(3)):
                if rubbish:
                    rubbish[chance.randrange(min(len(rubbish), 44))] = chance.randrange(256)
            # Block 1 itself is spared: a forged packet of the right form cannot be told from a true one.
            if len(rubbish) < 8 or struct.unpack_from(">H", rubbish, 2)[0] != 1:
                device.send(bytes(rubbish))
    while (waiting := client.wait(timeout_ms=1500))[0] == 0:  # rubbish may open blocks; none of them is complete
        assert client.about(waiting[1], peer.BUFFER_INFO_CMD_LIST.BUFFER_INFO_IS_INCOMPLETE)
        client.queue(waiting[1])
    for block in range(40000, 40009):
        device.send(*peer.image_packets(block, picture(block), stride=STRIDE, ticks=2**63 + block))
        expect_complete(client, block, picture(block))
    assert not client.has_overrun()


def test_packets_of_a_stranger_are_ignored(device, client) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.8", 0))
        for packet in packets(1, picture(1)):
            stranger.sendto(packet, ("127.0.0.1", device.registers[peer.SCP]))
    device.send(*packets(9, picture(9)))
    expect_complete(client, 9, picture(9))
    assert client.count("delivered") == 1


@pytest.mark.parametrize("end", ["EventKill", "DSStopAcquisition", "DSClose", "GCCloseLib"])
def test_who_waits_for_a_frame_is_woken(client, end) -> None:
    codes = []
    waiting = threading.Thread(target=lambda: codes.append(client.wait(timeout_ms=20_000)[0]))
    waiting.start()
    arguments = {
        "EventKill": (client.event,),
        "DSStopAcquisition": (client.stream, 1),
        "DSClose": (client.stream,),
    }
    while waiting.is_alive():
        assert getattr(client.library, end)(*arguments.get(end, ())) == 0
        waiting.join(1 if end == "DSStopAcquisition" else 10)
        if waiting.is_alive():  # stopped before the wait began: stopping wakes only who waits already
            client.start()
    if end == "GCCloseLib":
        client.library.GCInitLib()
    assert codes[0] in (ABORT, INVALID_HANDLE)  # the latter when closed before the wait began


def test_waiting_in_vain_ends_in_time(client) -> None:
    assert client.wait(timeout_ms=30)[0] == TIMEOUT


def test_a_frame_cut_by_stopping_is_incomplete_but_no_loss(device, client) -> None:
    device.send(*packets(1, picture(1))[:4])
    while client.count("num_started") == 0:
        assert client.wait(timeout_ms=5)[0] == TIMEOUT
    client.stop()
    assert client.fetch().is_incomplete
    assert (client.count("incomplete"), client.count("lost_packets")) == (0, 0)
    assert device.registers[peer.SCP] == 0


def test_a_buffer_that_is_queued_cannot_be_revoked_until_flushed(client) -> None:
    buffer = peer.ctypes.c_void_p()
    assert client.library.DSGetBufferID(client.stream, 0, peer.ctypes.byref(buffer)) == 0
    assert client.library.DSRevokeBuffer(client.stream, buffer, None, None) == BUSY
    assert client.library.DSFlushQueue(client.stream, 4) == 0
    assert client.library.DSRevokeBuffer(client.stream, buffer, None, None) == 0
    assert client.count("num_announced") == 3


def test_control_is_taken_as_asked_and_given_back(device, open_client) -> None:
    client = open_client(access=3)
    assert device.registers[peer.CCP] == 2
    assert client.library.DevClose(client.device) == 0
    assert device.registers[peer.CCP] == 0


def test_control_is_kept_by_three_heartbeats_per_timeout(device, open_client) -> None:
    device.registers[0x0938] = 300
    open_client()
    beats, began = device.heartbeats, time.monotonic()
    while device.heartbeats < beats + 6 and time.monotonic() < began + 10:
        time.sleep(0.005)
    assert device.heartbeats >= beats + 6


def test_a_lost_command_is_repeated_under_its_request_id(device, client) -> None:
    device.deaf_to = 2
    client.stop()  # writes the stream port
    assert device.registers[peer.SCP] == 0
    assert len(device.lost_ids) == 2
    assert len(set(device.lost_ids)) == 1


def test_a_silent_camera_is_named_in_the_error(device, open_client) -> None:
    client = open_client()
    device.deaf_to = 100
    assert client.library.DSStartAcquisition(client.stream, 0, peer.ctypes.c_uint64(1)) == IO
    assert "camera SCRIPT at 127.0.0.9: no answer to READREG 0x00000d04 after 4 tries" in client.last_error()
    device.deaf_to = 0


def test_a_device_opened_read_only_is_not_written_to(device, open_client) -> None:
    client = open_client(access=2)
    assert client.library.DSStartAcquisition(client.stream, 0, peer.ctypes.c_uint64(1)) == ACCESS_DENIED
    assert "SCRIPT at 127.0.0.9" in client.last_error()
    assert (device.registers[peer.CCP], device.registers[peer.SCDA]) == (0, 0)


@pytest.mark.parametrize(("largest", "chosen"), [(9000, 8000), (1500, 1500), (0, 1500)])
def test_the_packet_size_is_8000_where_it_passes(device, open_client, largest, chosen) -> None:
    device.largest_test_packet = largest  # 0: a camera that sends none
    open_client()
    assert device.packet_sizes == [chosen]
    assert device.registers[peer.SCP] == 0
