"""The array types that travel: their shape and dtype are their name.

The test run checks every one of them at every call (jaxtyping + beartype); elsewhere they are plain names,
and a machine without jaxtyping (a bare training box) loses nothing but the checks.
Pixel coordinates are (x, y) with integers at pixel centres; (0, 0) is the centre of the top-left pixel.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mono8 = NDArray[np.uint8]
    Mono = NDArray[np.uint8] | NDArray[np.uint16]
    Picture = NDArray[np.uint8] | NDArray[np.uint16]
    Picture8 = NDArray[np.uint8]
    PictureFloat = NDArray[np.float32]
    MonoFloat = NDArray[np.float32]
    Kernel = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Homography = NDArray[np.float64]
    PointsXY = NDArray[np.float64]
else:
    try:
        from jaxtyping import Bool, Float32, Float64, UInt8, UInt16
    except ModuleNotFoundError:

        class _Unchecked:
            def __class_getitem__(cls, item: tuple[Any, str]) -> Any:
                return item[0]

        Bool = Float32 = Float64 = UInt8 = UInt16 = _Unchecked

    Mono8 = UInt8[np.ndarray, "_ _"]
    """(h, w) uint8"""
    Mono = UInt8[np.ndarray, "_ _"] | UInt16[np.ndarray, "_ _"]
    """(h, w) uint8 or uint16"""
    Picture = UInt8[np.ndarray, "_ _ *_"] | UInt16[np.ndarray, "_ _ *_"]
    """(h, w) or (h, w, 3) RGB, uint8 or uint16"""
    Picture8 = UInt8[np.ndarray, "_ _ *_"]
    """(h, w) or (h, w, 3) RGB, uint8"""
    PictureFloat = Float32[np.ndarray, "_ _ *_"]
    """(h, w) or (h, w, 3) RGB, float32 in [0, 1]"""
    MonoFloat = Float32[np.ndarray, "_ _"]
    """(h, w) float32"""
    Kernel = Float64[np.ndarray, "_ _"]
    """(k, k) float64, odd k, sums to 1, centre pixel = zero shift"""
    Mask = Bool[np.ndarray, "_ _"]
    """(h, w) bool, True = usable"""
    Homography = Float64[np.ndarray, "3 3"]
    """(3, 3) float64, target_from_source on homogeneous (x, y, 1)"""
    PointsXY = Float64[np.ndarray, "_ 2"]
    """(n, 2) float64 (x, y) px"""
