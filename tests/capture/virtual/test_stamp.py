import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinlens.capture.virtual.stamp import STAMP_WIDTH, read_trigger, stamp_trigger


@given(index=st.integers(0, 2**32 - 1), dtype=st.sampled_from([np.uint8, np.uint16]))
def test_a_stamp_is_read_back(index, dtype):
    pixels = np.full((3, 20), 77, dtype=dtype)
    stamp_trigger(pixels, index)
    assert read_trigger(pixels) == index
    assert (pixels[1:] == 77).all()
    assert (pixels[0, STAMP_WIDTH:] == 77).all()


@given(position=st.integers(0, STAMP_WIDTH - 1), change=st.integers(1, 255))
def test_a_damaged_stamp_is_noticed(position, change):
    pixels = np.zeros((1, STAMP_WIDTH), dtype=np.uint8)
    stamp_trigger(pixels, 1234)
    pixels[0, position] ^= change
    with pytest.raises(ValueError, match="no trigger stamp"):
        read_trigger(pixels)


def test_an_image_without_a_stamp_has_no_trigger():
    with pytest.raises(ValueError, match="no trigger stamp"):
        read_trigger(np.zeros((10, 10), dtype=np.uint8))


def test_a_stamp_needs_eight_pixels():
    with pytest.raises(ValueError, match="needs 8 pixels"):
        stamp_trigger(np.zeros((10, 7), dtype=np.uint8), 0)
