"""Frames as packets: made from images, remembered for hosts that ask again."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from twinlens.capture.virtual import chunk, gvsp, packing
from twinlens.capture.virtual.plan import StreamPlan
from twinlens.capture.virtual.stamp import STAMP_WIDTH, trigger_stamp
from twinlens.pixels import Mono

_LAYOUTS_KEPT = 64
"""Pictures that come again and lie ready as packets; a source of more is packed anew each time round."""
_LAYOUTS_KEPT_BYTES = 512 << 20


@dataclass(slots=True, kw_only=True)
class Block:
    """One frame, ready to be sent.

    The packets may be shared with other frames of the same picture. While this frame is sent they carry its
    block id; later only `own` and the pixels are still its own.
    """

    block_id: int
    host: tuple[str, int]
    packets: gvsp.PayloadPackets
    is_shared: bool
    leader: bytes
    trailer: bytes
    own: Mapping[int, bytes]
    """Payload packets that no other frame of the same picture has: the stamp's and the chunks'."""
    log_number: int | None = None
    resent: int = field(default=0)

    @property
    def last_packet(self) -> int:
        """The trailer's packet id."""
        return self.packets.count + 1

    def packet(self, packet_id: int, *, status: int = 0) -> bytes:
        """One packet, as a copy, at any time after it was made."""
        if packet_id in (0, self.last_packet):
            return gvsp.with_status(self.trailer if packet_id else self.leader, status)
        whole = self.own.get(packet_id) or bytes(self.packets.packets(packet_id, packet_id))
        return gvsp.payload_header(self.block_id, packet_id, status=status) + whole[gvsp.HEADER_BYTES :]

    def bursts(self, first: int, last: int, *, limit: int) -> Iterator[tuple[bytes | memoryview, int]]:
        """Packets `first` to `last` as (packets side by side, their number), at most `limit` at once."""
        if first == 0:
            yield self.leader, 1
        end = min(last, self.packets.count)
        for start in range(max(first, 1), end + 1, limit):
            stop = min(start + limit - 1, end)
            yield self.packets.packets(start, stop), stop - start + 1
        if last == self.last_packet:
            yield self.trailer, 1


class Packer:
    """Puts the images of one acquisition into packets.

    A read-only image is one that comes again: its packets are kept, and the next time only the block id, the
    stamp and the chunks are written.
    """

    def __init__(self, plan: StreamPlan) -> None:
        self._plan = plan
        self._kept: OrderedDict[int, tuple[Mono, gvsp.PayloadPackets, bytes]] = OrderedDict()
        self._spare: list[gvsp.PayloadPackets] = []
        self.packet_count = self._lay_out().count
        """Payload packets of a frame."""

    def pack(self, pixels: Mono, facts: chunk.FrameFacts) -> Block:
        """One frame of the whole sensor's pixels; without a stamp if nobody triggered it (number below 0)."""
        plan = self._plan
        packets, first_pixels = self._packets_of(pixels)
        behind = chunk.tail(plan.chunks, facts, image_bytes=plan.image_bytes)
        packets.fill(np.frombuffer(_stamped(first_pixels, facts.number, plan), np.uint8))
        packets.fill(np.frombuffer(behind, np.uint8), start=plan.image_bytes)
        packets.name(facts.block_id)
        window, block_id = plan.window, facts.block_id
        return Block(
            block_id=block_id,
            host=plan.host,
            packets=packets,
            is_shared=not pixels.flags.writeable,
            leader=gvsp.leader(
                block_id,
                timestamp=facts.timestamp,
                pixel_format=plan.pixel_format,
                window=window,
                has_chunks=bool(plan.chunks),
            ),
            trailer=gvsp.trailer(
                block_id,
                packet_id=packets.count + 1,
                height=window.height,
                chunk_bytes=plan.payload_bytes if plan.chunks else 0,
            ),
            own=_own_packets(packets, tail_bytes=len(behind)),
        )

    def reuse(self, block: Block) -> None:
        """Take back the packets of a frame that nobody will ask for any more."""
        if not block.is_shared:
            self._spare.append(block.packets)

    def _packets_of(self, pixels: Mono) -> tuple[gvsp.PayloadPackets, bytes]:
        """The image in packets, and its first pixels as they were before any stamp."""
        known = self._kept.get(id(pixels)) if not pixels.flags.writeable else None
        if known is not None:
            self._kept.move_to_end(id(pixels))
            return known[1], known[2]
        payload = packing.pack(self._plan.window.cut(pixels), self._plan.pixel_format)
        packets = self._spare.pop() if self._spare else self._lay_out()
        packets.fill(payload)
        first = payload[: STAMP_WIDTH * (self._plan.pixel_format >> 16 & 0xFF) // 8].tobytes()
        if not pixels.flags.writeable:
            # The picture is kept too: its address must stay taken.
            self._kept[id(pixels)] = (pixels, packets, first)
            limit = max(1, min(_LAYOUTS_KEPT, _LAYOUTS_KEPT_BYTES // packets.total_bytes))
            if len(self._kept) > limit:
                self._kept.popitem(last=False)
        return packets, first

    def _lay_out(self) -> gvsp.PayloadPackets:
        return gvsp.PayloadPackets(self._plan.payload_bytes, packet_size=self._plan.packet_size)


def _stamped(first_pixels: bytes, number: int, plan: StreamPlan) -> bytes:
    """The first pixels' bytes with the trigger number in them."""
    if number < 0:
        return first_pixels
    return packing.pack(trigger_stamp(number, bit_depth=plan.bit_depth), plan.pixel_format).tobytes()


def _own_packets(packets: gvsp.PayloadPackets, *, tail_bytes: int) -> dict[int, bytes]:
    room = packets.datagram_bytes - gvsp.HEADER_BYTES
    first_of_tail = (packets.payload_bytes - tail_bytes) // room + 1
    with_tail = range(first_of_tail, packets.count + 1) if tail_bytes else ()
    return {packet_id: bytes(packets.packets(packet_id, packet_id)) for packet_id in (1, *with_tail)}
