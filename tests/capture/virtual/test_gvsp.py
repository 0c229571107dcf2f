import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from twinlens.capture.virtual import gvsp


@given(st.integers(0, 10**7))
def test_a_block_id_is_never_zero_and_follows_its_predecessor(index):
    here, following = gvsp.block_id(index), gvsp.block_id(index + 1)
    assert 1 <= here <= 65535
    assert following == (1 if here == 65535 else here + 1)


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 200),
    packet_size=st.integers(gvsp.OVERHEAD_BYTES + 1, 1500),
    block=st.integers(1, 65535),
)
def test_packets_put_together_give_the_image(height, width, packet_size, block):
    pixels = np.arange(height * width, dtype=np.uint32).astype(np.uint8).reshape(height, width)
    packets = gvsp.PayloadPackets(pixels.size, packet_size=packet_size)
    packets.fill(pixels.reshape(-1))
    packets.name(block)
    size = packets.datagram_bytes
    assert size + gvsp.IP_UDP_BYTES == packet_size
    parts = [packets.buffer[start : start + size] for start in range(0, packets.total_bytes, size)]
    assert len(parts) == packets.count
    for number, part in enumerate(parts, start=1):
        assert struct.unpack_from(">HHI", part) == (0, block, 3 << 24 | number)
    assert b"".join(part[8:] for part in parts) == pixels.tobytes()
