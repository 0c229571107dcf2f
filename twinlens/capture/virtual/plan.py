"""What stays fixed while a camera acquires."""

from dataclasses import dataclass

from twinlens.capture.pixel_formats import pixel_format_of_code
from twinlens.capture.virtual import chunk, gvsp


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPlan:
    """What stays fixed from AcquisitionStart to AcquisitionStop."""

    host: tuple[str, int]
    packet_size: int
    """With the IP and UDP headers, bytes."""
    do_not_fragment: bool
    pixel_format: int
    """PFNC code."""
    window: gvsp.Window
    frame_limit: int
    """Frames until the camera stops by itself; 0 = none."""
    chunks: tuple[str, ...] = ()
    """Chunks that follow the pixels, named as in `chunk.TAGS`."""

    @property
    def bit_depth(self) -> int:
        """Bits of a pixel that carry information."""
        found = pixel_format_of_code(self.pixel_format)
        return found.bit_depth if found is not None else 8

    @property
    def image_bytes(self) -> int:
        """What the pixels take; packed ones follow each other without padding."""
        bits = self.pixel_format >> 16 & 0xFF
        return -(-self.window.width * self.window.height * bits // 8)

    @property
    def payload_bytes(self) -> int:
        """What a frame's payload packets carry together."""
        return self.image_bytes + chunk.tail_bytes(self.chunks)
