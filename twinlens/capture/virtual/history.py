"""The last frames as they were sent, for hosts that ask for packets again."""

from collections import deque
from dataclasses import dataclass

from twinlens.capture.virtual import gvsp

KEPT_BLOCKS = 8


@dataclass(slots=True)
class SentBlock:
    """One frame as packets."""

    block: int
    leader: bytes
    packets: gvsp.PayloadPackets
    trailer: bytes
    log_number: int = -1
    """Its entry in the camera's log, once it has one."""
    resent: int = 0

    def packet(self, packet_id: int) -> bytes | None:
        """One packet: 0 is the leader, the one behind the payload the trailer."""
        if packet_id == 0:
            return self.leader
        if packet_id <= self.packets.count:
            return self.packets.packet(packet_id)
        return self.trailer if packet_id == self.packets.count + 1 else None


class History:
    """Packet buffers that are used in turn, so that the last frames stay."""

    def __init__(self, payload_bytes: int, *, packet_size: int) -> None:
        self._free = deque(
            gvsp.PayloadPackets(payload_bytes, packet_size=packet_size) for _ in range(KEPT_BLOCKS + 1)
        )
        self._sent: deque[SentBlock] = deque()

    def next_packets(self) -> gvsp.PayloadPackets:
        """A buffer for the next frame; the oldest frame is forgotten when all are in use."""
        if not self._free:
            self._free.append(self._sent.popleft().packets)
        return self._free.popleft()

    def keep(self, block: SentBlock) -> None:
        """A frame is being sent from the buffer it holds."""
        self._sent.append(block)

    def give_back(self, packets: gvsp.PayloadPackets) -> None:
        """A frame was not sent after all."""
        self._free.append(packets)

    def find(self, block: int) -> SentBlock | None:
        """The frame with this block id, if it is still kept."""
        return next((sent for sent in reversed(self._sent) if sent.block == block), None)
