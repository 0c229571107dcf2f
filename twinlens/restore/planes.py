"""A picture as planes of one channel each, and back."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twinlens.pixels import Mono, MonoFloat, Picture


def channels(picture: Picture) -> list[Mono]:
    """The picture's channels, one or three, each (h, w)."""
    stack = picture[..., None] if picture.ndim == 2 else picture
    return list(np.ascontiguousarray(np.moveaxis(stack, 2, 0)))


def as_picture(planes: Sequence[MonoFloat | NDArray[np.float64]], *, like: Picture, white: float) -> Picture:
    """Whole levels from 0 to `white`, in the shape and dtype of `like`."""
    stack = np.clip(np.rint(np.stack(planes, axis=2)), 0, white)
    whole = np.ascontiguousarray(stack[..., 0] if like.ndim == 2 else stack)
    return whole.astype(np.uint8) if like.dtype == np.uint8 else whole.astype(np.uint16)
