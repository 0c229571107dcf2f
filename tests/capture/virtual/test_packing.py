"""Known bit patterns, and the way back through the decoder that hosts use."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinlens.capture.pixel_formats import PIXEL_FORMATS, decode
from twinlens.capture.virtual.packing import pack

CODES = {name: known.code for name, known in PIXEL_FORMATS.items()}


def bits(*levels):
    return np.array([levels], np.uint16)


@pytest.mark.parametrize(
    ("name", "levels", "expected"),
    [
        ("Mono8", (0, 3, 4, 1023), "00 00 01 ff"),
        ("Mono10", (0, 1, 0x2AB, 1023), "0000 0100 ab02 ff03"),
        ("Mono10p", (1023, 0, 0, 0), "ff 03 00 00 00"),
        ("Mono10p", (0, 1023, 0, 0), "00 fc 0f 00 00"),
        ("Mono10p", (0, 0, 1023, 0), "00 00 f0 3f 00"),
        ("Mono10p", (0, 0, 0, 1023), "00 00 00 c0 ff"),
        ("Mono10p", (0x155, 0x2AA, 0x001, 0x200), "55 a9 1a 00 80"),
        ("Mono10p", (1, 2), "01 08 00"),
        ("Mono10Packed", (1023, 0), "ff 03 00"),
        ("Mono10Packed", (0, 1023), "00 30 ff"),
        ("Mono10Packed", (0x155, 0x2AA), "55 21 aa"),
        ("Mono10Packed", (0x2AB, 0x154), "aa 03 55"),
    ],
)
def test_levels_lie_where_the_convention_says(name, levels, expected):
    assert pack(bits(*levels), CODES[name]).tobytes() == bytes.fromhex(expected.replace(" ", ""))


@given(data=st.data(), name=st.sampled_from(["Mono10", "Mono10p", "Mono10Packed"]))
def test_what_is_packed_is_decoded_again(data, name):
    shape_hw = data.draw(st.integers(1, 6)), 2 * data.draw(st.integers(1, 9))
    levels = np.array(data.draw(st.lists(st.integers(0, 1023), min_size=1, max_size=40)), np.uint16)
    pixels = np.resize(levels, shape_hw)
    assert (decode(pack(pixels, CODES[name]), name, shape_hw) == pixels).all()


@given(level=st.integers(0, 255), name=st.sampled_from(["Mono10", "Mono10p", "Mono10Packed"]))
def test_eight_bits_come_back_out_of_ten(level, name):
    pixels = np.full((2, 4), level, np.uint8)
    assert (decode(pack(pixels, CODES[name]), name, (2, 4)) >> 2 == pixels).all()


def test_an_unknown_format_is_refused():
    with pytest.raises(ValueError, match="0x01100005"):
        pack(np.zeros((2, 4), np.uint8), 0x0110_0005)
