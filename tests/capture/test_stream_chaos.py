"""Losses, repeats, disorder and damage at once: a frame is whole, or called incomplete and black there."""

import random
from collections import Counter

import numpy as np
import pytest
import stream_bench as bench

peer = bench.peer
device, open_client = bench.device, bench.open_client
FRAMES, SHAPE_HW = 120, (150, 200)


def spoil(sent: list, chance: random.Random) -> list:
    """The packets of a block as a bad network leaves them: 3 % each lost, late, twice, or damaged beyond use."""
    arriving = []
    for place, packet in enumerate(sent):
        fate, position = chance.random(), place + chance.choice([0] * 30 + [3])
        if fate < 0.03:
            continue
        damaged = packet[: chance.randrange(8, len(packet))] if 0.03 < fate < 0.06 else packet
        arriving.append((position, damaged))
        if fate > 0.97:
            arriving.append((position + chance.randrange(6), packet))
    return [packet for _position, packet in sorted(arriving, key=lambda entry: entry[0])]


def forgetful(blocks: dict, chance: random.Random):
    """A device that forgets every tenth request, and answers a packet's third at the latest."""
    asked: Counter[tuple[int, int]] = Counter()

    def resend(block: int, packet_id: int) -> list:
        asked[block, packet_id] += 1
        answers = asked[block, packet_id] > 2 or chance.random() > 0.1
        return [blocks[block][1][packet_id]] * answers

    return resend


@pytest.mark.parametrize("resends", [False, True], ids=["no resend", "resend"])
@pytest.mark.parametrize("seed", range(3))
def test_no_frame_shows_a_wrong_pixel(device, open_client, seed, resends) -> None:
    chance = random.Random(seed)
    blocks = {}
    for step in range(FRAMES):
        block = (65500 + step) % 65535 + 1
        pixels = bench.picture(step, SHAPE_HW)
        blocks[block] = pixels, peer.image_packets(block, pixels, stride=bench.STRIDE, ticks=step + 1)
    device.registers[peer.CAPABILITY] = peer.RESEND_OFFERED * resends
    device.resend = forgetful(blocks, random.Random(seed))
    client = open_client(buffer_count=24, size=SHAPE_HW[0] * SHAPE_HW[1])
    client.start()
    incomplete, order, waiting = 0, list(blocks), 0
    for block in blocks:
        device.send(*spoil(blocks[block][1], chance))
        waiting += 1
        while waiting and (waiting > 6 or block == order[-1]):
            frame = client.fetch()
            truth = blocks[frame.frame_id][0].ravel()
            found = np.frombuffer(frame.data, np.uint8)
            assert (found == truth)[found != 0].all()  # no true pixel is 0
            assert frame.is_incomplete or bool((found == truth).all())
            assert frame.frame_id == order.pop(0)
            incomplete += frame.is_incomplete
            client.queue(frame.handle)
            waiting -= 1
    assert client.count("incomplete") == incomplete
    assert client.count("invalid") > 0
    assert client.count("duplicates") > 0
    assert not client.has_overrun()
    # A machine that stalls for longer than a packet is asked for (0.3 s) may cost frames even so.
    assert incomplete <= FRAMES // 20 if resends else incomplete > FRAMES // 2
