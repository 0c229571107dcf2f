"""Lost packets that the camera sends again: frames become whole, or are given up, in order and in bounded time."""

import random
from collections import Counter

import pytest
import stream_bench as bench

peer = bench.peer
device, open_client = bench.device, bench.open_client
PACKETS, picture, packets = bench.PACKETS, bench.picture, bench.packets
expect_complete, expect_incomplete = bench.expect_complete, bench.expect_incomplete
ASKS = 5
"""So often a packet is asked for before it is given up."""


class Memory:
    """What a camera remembers of the blocks it sent, to send packets of them again."""

    def __init__(self, device) -> None:
        self.device = device
        self.blocks: dict = {}
        device.registers[peer.CAPABILITY] = peer.RESEND_OFFERED
        device.resend = lambda block, packet_id: [self.blocks[block][packet_id]]

    def send(self, sent, *, lost=()) -> None:
        """Sends the packets of one block, but for those with the numbers `lost`."""
        extended = sent[0][4] >> 7 == 1
        block = int.from_bytes(sent[0][8:16] if extended else sent[0][2:4], "big")
        self.blocks[block] = sent
        gone = {number % len(sent) for number in lost}
        self.device.send(*(packet for number, packet in enumerate(sent) if number not in gone))


@pytest.fixture
def memory(device):
    return Memory(device)


@pytest.fixture
def client(memory, open_client):  # noqa: ARG001 - the camera offers to resend before it is opened
    opened = open_client(buffer_count=16)
    opened.start()
    return opened


def refuse(status: int):
    """A camera that answers every request with an error."""
    return lambda block, packet_id: [peer.header(0, block, packet_id, status=status)]


@pytest.mark.parametrize("lost_again", [0.0, 0.2])
def test_one_percent_of_the_packets_lost_costs_no_frame(device, memory, client, lost_again) -> None:
    chance = random.Random(1)
    device.resend = lambda block, packet_id: memory.blocks[block][
        packet_id : packet_id + (chance.random() > lost_again)
    ]
    frames = 300
    for block in range(1, frames + 1):
        sent = packets(block, picture(block))
        memory.send(sent, lost=[number for number in range(len(sent)) if chance.random() < 0.01])
        if block > 4:
            expect_complete(client, block - 4, picture(block - 4))
    for block in range(frames - 3, frames + 1):
        expect_complete(client, block, picture(block))
    assert client.count("incomplete") == 0
    assert client.count("resends_recovered") > 10
    assert client.count("resends_asked") >= client.count("resends_recovered")


@pytest.mark.parametrize(
    "lost",
    [
        [0],
        [1],
        [PACKETS],
        [0, 1, 2],
        range(3, PACKETS + 2),
        range(1, PACKETS + 1),
        range(1, PACKETS + 2),
        range(PACKETS + 1),
        [0, 2, 4, 5, 7, PACKETS],
    ],
    ids=[
        "leader",
        "first",
        "last",
        "beginning",
        "end",
        "all payload",
        "all but leader",
        "all but trailer",
        "many",
    ],
)
@pytest.mark.parametrize("alone", [True, False], ids=["last frame", "frames follow"])
def test_whatever_is_lost_of_a_frame_comes_again(memory, client, lost, alone) -> None:
    memory.send(packets(1, picture(1)))
    memory.send(packets(2, picture(2)), lost=lost)
    later = [] if alone else [3, 4, 5]
    for block in later:
        memory.send(packets(block, picture(block)))
    for block in [1, 2, *later]:
        expect_complete(client, block, picture(block))
    assert client.count("lost_packets") == (
        PACKETS + 1 in lost
    )  # the trailer: all it could tell was there already


def test_a_burst_lost_across_two_frames_comes_again(memory, client) -> None:
    memory.send(packets(1, picture(1)), lost=range(4, PACKETS + 2))
    memory.send(packets(2, picture(2)), lost=range(5))
    memory.send(packets(3, picture(3)))
    for block in (1, 2, 3):
        expect_complete(client, block, picture(block))


def test_a_camera_that_ignores_requests_costs_only_the_lossy_frames(device, memory, client) -> None:
    device.resend = None
    for block in range(1, 13):
        memory.send(packets(block, picture(block)), lost=[3, 5] if block in (2, 3, 12) else [])
    for block in range(1, 13):
        if block in (2, 3, 12):
            expect_incomplete(client, block, picture(block), missing=[3, 5])
        else:
            expect_complete(client, block, picture(block))
    # Twelve frames at once are more than can be open: frames 2 and 3 are given up early, frame 12 in its own time.
    asked = Counter(device.asked)
    assert asked[(12, 3, 3)] == asked[(12, 5, 5)] == ASKS
    assert client.count("incomplete") == 3
    assert client.count("lost_packets") == 6


@pytest.mark.parametrize("status", [0x800C, 0x800D, 0x8011, 0x8012])
def test_a_packet_the_camera_no_longer_has_is_not_waited_for(device, memory, client, status) -> None:
    device.resend = refuse(status)
    memory.send(packets(1, picture(1)), lost=[2, 3])
    memory.send(packets(2, picture(2)))
    expect_incomplete(client, 1, picture(1), missing=[2, 3])
    expect_complete(client, 2, picture(2))
    assert device.asked == [(1, 2, 3)]


@pytest.mark.parametrize("status", [0x8010, 0x8014])
def test_a_packet_that_is_not_there_yet_is_asked_for_again(device, memory, client, status) -> None:
    def hesitate(block, packet_id):
        return refuse(status)(block, packet_id) if len(device.asked) < 3 else [memory.blocks[block][packet_id]]

    device.resend = hesitate
    memory.send(packets(1, picture(1)), lost=[4])
    expect_complete(client, 1, picture(1))
    assert device.asked == [(1, 4, 4)] * 3


def test_a_packet_marked_as_sent_again_is_as_good(device, memory, client) -> None:
    device.resend = lambda block, packet_id: [b"\x01\x00" + memory.blocks[block][packet_id][2:]]
    memory.send(packets(1, picture(1)), lost=[0, 6])
    expect_complete(client, 1, picture(1))
    assert (client.count("resends_asked"), client.count("resends_recovered")) == (2, 2)


def test_the_leader_that_is_gone_for_good_costs_its_frame_alone(device, memory, client) -> None:
    device.resend = refuse(0x800C)
    memory.send(packets(1, picture(1)), lost=[0])
    memory.send(packets(2, picture(2)))
    frame = client.fetch()
    assert (frame.frame_id, frame.is_incomplete) == (1, True)
    assert frame.data == picture(1).tobytes()
    expect_complete(client, 2, picture(2))
    device.send(packets(1, picture(1))[0])  # a leader that comes so late begins no second frame 1
    memory.send(packets(3, picture(3)))
    expect_complete(client, 3, picture(3))
    assert client.count("duplicates") == 1


def test_ids_that_wrap_are_asked_for_by_the_right_number(device, memory, client) -> None:
    for block in (65534, 65535, 1, 2):
        memory.send(packets(block, picture(block)), lost=[0, 3])
    for block in (65534, 65535, 1, 2):
        expect_complete(client, block, picture(block))
    assert {block for block, _first, _last in device.asked} == {65534, 65535, 1, 2}
    assert client.count("lost_frames") == 0


@pytest.mark.parametrize("first", [1, 65535, 2**32 - 1, 2**63])
def test_ids_of_64_bits_are_followed_and_asked_for(device, memory, client, first) -> None:
    for block in range(first, first + 5):
        sent = peer.image_packets(block, picture(3), stride=bench.STRIDE - 12, ticks=block - first, extended=True)
        memory.send(sent, lost=[0, 4, -2] if block == first + 2 else [])
    for block in range(first, first + 5):
        expect_complete(client, block, picture(3))
    assert {asked[0] for asked in device.asked} == {first + 2}


def test_a_camera_that_offers_no_resend_is_not_asked(device, memory, open_client) -> None:
    device.registers[peer.CAPABILITY] = 0xFFFFFFFF & ~peer.RESEND_OFFERED
    client = open_client()
    client.start()
    memory.send(packets(1, picture(1)), lost=[2])
    memory.send(packets(2, picture(2)))
    expect_incomplete(client, 1, picture(1), missing=[2])
    expect_complete(client, 2, picture(2))
    assert device.asked == []


def test_no_more_is_asked_at_once_than_the_socket_can_take(device, memory, open_client) -> None:
    client = open_client(size=300 * bench.STRIDE)
    assert client.write_node("StreamReceiveBufferRequest", 65536) == 0
    client.start()
    pixels = picture(1, (300, bench.STRIDE))
    memory.send(packets(1, pixels), lost=range(1, 299))
    expect_complete(client, 1, pixels)
    assert client.count("receive_buffer") == 65536
    share = 65536 // 8 // bench.PACKET_SIZE
    assert max(last - first + 1 for _block, first, last in device.asked[:1]) <= max(share, 16)
    assert len(device.asked) > 3


def test_frames_behind_one_that_waits_come_in_order_and_whole(device, memory, client) -> None:
    device.resend = None
    memory.send(packets(1, picture(1)), lost=[5])
    for block in (2, 3, 4):
        memory.send(packets(block, picture(block)))
    while not device.asked:
        assert client.wait(timeout_ms=5)[0] == -1011
    device.send(packets(1, picture(1))[5])
    for block in (1, 2, 3, 4):
        expect_complete(client, block, picture(block))


def test_a_frame_larger_than_its_buffer_is_not_asked_for(device, memory, open_client) -> None:
    client = open_client(size=bench.SHAPE_HW[0] * bench.SHAPE_HW[1] - 700)
    client.start()
    memory.send(packets(1, picture(1)), lost=[2])
    frame = client.fetch()
    assert frame.is_incomplete
    assert frame.larger_than_buffer
    assert device.asked == []
    assert not client.has_overrun()


def test_a_sender_that_stalls_in_the_middle_of_a_frame_finishes_it(device, client) -> None:
    device.resend = refuse(0x800C)  # an older camera says so of packets that it has not sent yet
    sent = packets(1, picture(1))
    device.send(*sent[:4])
    while len(device.asked) < 1:
        assert client.wait(timeout_ms=5)[0] == -1011
    device.send(*sent[4:])
    expect_complete(client, 1, picture(1))


def test_a_frame_shorter_than_its_leader_promised_is_not_asked_for_beyond_its_end(device, memory, client) -> None:
    sent = packets(1, picture(1))
    short = [*sent[:5], peer.trailer(1, 5, height=20)]
    memory.send(short, lost=[2])
    expect_incomplete(client, 1, picture(1), missing=range(5, PACKETS + 1))
    assert device.asked == [(1, 2, 2)]
