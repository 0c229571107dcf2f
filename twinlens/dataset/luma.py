"""Brightness of a picture, for figures that know no colour: sharpness, noise, grey levels, perceptual hashes."""

from typing import cast

import numpy as np

from twinlens.pixels import Mono, Picture

REC_601 = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue; they add up to 1, so luma has the picture's own bit depth."""


def luma(picture: Picture) -> Mono:
    """(h, w) Rec. 601 luma, rounded; a grey picture as it is."""
    if picture.ndim == 2:
        return picture
    return cast("Mono", np.rint(picture @ REC_601).astype(picture.dtype))
