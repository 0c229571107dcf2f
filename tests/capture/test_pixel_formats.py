"""Pictures read from payloads: known bit patterns written by hand, and a slow loop as the second opinion."""

import numpy as np
import pytest

from twinlens.capture.pixel_formats import (
    PIXEL_FORMATS,
    bit_depth,
    bytes_per_frame,
    decode,
    pixel_format,
    pixel_format_of_code,
)
from twinlens.errors import CaptureError, SettingsError


def payload_of(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint8)


@pytest.mark.parametrize(
    ("name", "data", "pixels"),
    [
        ("Mono8", (0, 127, 255), [0, 127, 255]),
        ("Mono10", (0xFF, 0x03, 0x01, 0x00, 0x34, 0x02), [1023, 1, 0x234]),
        # Four pixels whose ten bits are all ones, one after the other: bits 0-9, 10-19, 20-29, 30-39.
        ("Mono10p", (0xFF, 0x03, 0x00, 0x00, 0x00), [1023, 0, 0, 0]),
        ("Mono10p", (0x00, 0xFC, 0x0F, 0x00, 0x00), [0, 1023, 0, 0]),
        ("Mono10p", (0x00, 0x00, 0xF0, 0x3F, 0x00), [0, 0, 1023, 0]),
        ("Mono10p", (0x00, 0x00, 0x00, 0xC0, 0xFF), [0, 0, 0, 1023]),
        # 1, 2, 3, 4: 0000000001 | 0000000010 << 10 | 0000000011 << 20 | 0000000100 << 30.
        ("Mono10p", (0x01, 0x08, 0x30, 0x00, 0x01), [1, 2, 3, 4]),
        # Nine pixels: the ninth starts a group of its own and ends in its second byte.
        ("Mono10p", (1, 8, 0x30, 0, 1) * 2 + (0xAA, 0x02), [1, 2, 3, 4, 1, 2, 3, 4, 0x2AA]),
        ("Mono10Packed", (0xFF, 0x03, 0x00), [1023, 0]),
        ("Mono10Packed", (0x00, 0x30, 0xFF), [0, 1023]),
        ("Mono10Packed", (0x01, 0x12, 0x80), [(1 << 2) | 2, (0x80 << 2) | 1]),
        # Bits 2-3 and 6-7 of the middle byte carry nothing, whatever a camera puts there.
        ("Mono10Packed", (0x00, 0xCC, 0x00), [0, 0]),
        ("Mono10Packed", (0x01, 0x12, 0x80, 0x40, 0x03), [6, 513, 259]),
    ],
)
def test_known_bits_become_known_pixels(name: str, data: tuple[int, ...], pixels: list[int]) -> None:
    decoded = decode(payload_of(*data), name, (1, len(pixels)))
    assert decoded.tolist() == [pixels]
    assert decoded.dtype == (np.uint8 if name == "Mono8" else np.uint16)


def slow_pixel(data: np.ndarray, name: str, i: int) -> int:
    """Bit by bit, as the definitions read."""
    if name == "Mono8":
        return int(data[i])
    if name == "Mono10":
        return int(data[2 * i]) | int(data[2 * i + 1]) << 8
    if name == "Mono10p":
        bits = [(int(data[bit // 8]) >> bit % 8) & 1 for bit in range(10 * i, 10 * i + 10)]
        return sum(bit << place for place, bit in enumerate(bits))
    group, second = 3 * (i // 2), i % 2
    low = (int(data[group + 1]) >> (4 * second)) & 3
    return int(data[group + 2 * second]) << 2 | low


@pytest.mark.parametrize("name", PIXEL_FORMATS)
def test_any_payload_is_read_as_a_slow_loop_reads_it(name: str) -> None:
    rng = np.random.default_rng(3)
    shapes = [(1, 1), (1, 2), (1, 3), (3, 5), (7, 9), (2, 8), (5, 17)]
    shapes += [(int(h), int(w)) for h, w in rng.integers(1, 24, (20, 2))]
    for shape_hw in shapes:
        count = shape_hw[0] * shape_hw[1]
        data = rng.integers(0, 256, bytes_per_frame(name, shape_hw), dtype=np.uint8)
        if name == "Mono10":
            data[1::2] &= 3
        slow = [slow_pixel(data, name, i) for i in range(count)]
        assert decode(data, name, shape_hw).reshape(-1).tolist() == slow
        assert max(slow) < 2 ** bit_depth(name)


def test_sizes_and_codes_follow_the_naming_convention() -> None:
    full = (2048, 2592)
    sizes = {name: bytes_per_frame(name, full) for name in PIXEL_FORMATS}
    assert sizes == {"Mono8": 5308416, "Mono10": 10616832, "Mono10p": 6635520, "Mono10Packed": 7962624}
    assert [bytes_per_frame("Mono10p", (1, n)) for n in (1, 2, 3, 4, 5)] == [2, 3, 4, 5, 7]
    assert [bytes_per_frame("Mono10Packed", (1, n)) for n in (1, 2, 3)] == [2, 3, 5]
    for known in PIXEL_FORMATS.values():
        assert pixel_format_of_code(known.code) is known
    assert pixel_format_of_code(0x0108_0009) is None


def test_what_follows_the_picture_is_passed_over_and_the_picture_is_a_copy() -> None:
    data = np.arange(20, dtype=np.uint8)
    picture = decode(data, "Mono8", (2, 4))
    data[:] = 99
    assert picture.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_a_frame_that_cannot_be_read_says_what_was_seen() -> None:
    with pytest.raises(CaptureError, match="7 bytes arrived, 4x2 Mono8 takes 8"):
        decode(np.zeros(7, dtype=np.uint8), "Mono8", (2, 4))
    with pytest.raises(CaptureError, match="holds 65535"):
        decode(np.full(16, 255, dtype=np.uint8), "Mono10", (2, 4))
    with pytest.raises(SettingsError, match="Mono12"):
        pixel_format("Mono12")
    with pytest.raises(ValueError, match="uint8"):
        decode(np.zeros(8, dtype=np.uint16), "Mono8", (2, 4))
