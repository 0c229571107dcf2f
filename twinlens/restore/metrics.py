"""How close a picture is to its target: PSNR and SSIM, by named protocol.

The range is always given, never guessed from the pixels, and scores are computed in float64.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from twinlens.errors import RestoreError
from twinlens.pixels import Mask, Picture
from twinlens.restore.similarity import SIMILARITIES, Plane, Similarity

PROTOCOL = "wang2003"
"""What is used where nobody names another."""


@dataclass(frozen=True)
class Protocol:
    """What PSNR and SSIM are taken of, and which SSIM."""

    says: str
    """In one line."""
    similarity: Similarity
    channels: tuple[int, ...]
    """Pictures it takes: 1 mono, 3 RGB."""
    planes: Callable[[Picture, float], Iterator[Plane]]
    """What is compared, from a picture and the data range."""


def psnr(
    picture: Picture, target: Picture, *, data_range: float, mask: Mask | None = None, protocol: str = PROTOCOL
) -> float:
    """Peak signal-to-noise ratio in dB; infinite where the two are equal.

    Args:
        picture: what is judged, (h, w) or (h, w, 3).
        target: the truth, of the same shape and dtype.
        data_range: largest minus smallest possible value, 255 for 8 bit.
        mask: the pixels that count; all by default.
        protocol: a name of `PROTOCOLS`.

    Raises:
        RestoreError: the protocol does not take such pictures.
    """
    found = _protocol_for(protocol, picture, target, mask)
    counted = slice(None) if mask is None else mask
    planes = zip(found.planes(picture, data_range), found.planes(target, data_range), strict=True)
    error = float(np.mean([np.square((a - b)[counted]).mean() for a, b in planes]))
    return math.inf if error == 0 else 10 * math.log10(data_range**2 / error)


def ssim(
    picture: Picture, target: Picture, *, data_range: float, mask: Mask | None = None, protocol: str = PROTOCOL
) -> float:
    """Structural similarity, at most 1; planes are averaged.

    Args:
        picture: what is judged, (h, w) or (h, w, 3), at least as high and wide as the window.
        target: the truth, of the same shape and dtype.
        data_range: largest minus smallest possible value.
        mask: a window counts where all of its pixels are True; all by default.
        protocol: a name of `PROTOCOLS`.

    Raises:
        RestoreError: the protocol does not take such pictures, or no window is free of masked pixels.
    """
    found = _protocol_for(protocol, picture, target, mask)
    similarity = found.similarity
    if min(picture.shape[:2]) < similarity.window_px:
        raise ValueError(
            f"a picture of {picture.shape[:2]} px is smaller than the {similarity.window_px} px SSIM window"
        )
    counted = slice(None) if mask is None else similarity.counted(mask)
    planes = zip(found.planes(picture, data_range), found.planes(target, data_range), strict=True)
    return float(np.mean([one[counted].mean() for one in similarity.maps(planes, data_range)]))


def require_protocol(name: str, *, channels: int) -> None:
    """Raise `RestoreError` unless a protocol scores pictures of so many channels."""
    found = PROTOCOLS.get(name)
    if found is None:
        raise ValueError(f"protocol {name!r} is not known; {', '.join(PROTOCOLS)} are")
    if channels not in found.channels:
        fit = [other for other, protocol in PROTOCOLS.items() if channels in protocol.channels]
        raise RestoreError(
            f"protocol {name} scores pictures of {' or '.join(map(str, found.channels))} channels, "
            f"these have {channels}",
            hint=f"score them by {' or '.join(fit)}",
        )


def _protocol_for(name: str, picture: Picture, target: Picture, mask: Mask | None) -> Protocol:
    if picture.shape != target.shape or picture.dtype != target.dtype:
        raise ValueError(
            f"picture {picture.shape} {picture.dtype} and target {target.shape} {target.dtype} differ"
        )
    if mask is not None and (mask.shape != picture.shape[:2] or not mask.any()):
        raise ValueError(f"a mask of {picture.shape[:2]} with a True pixel is needed, got {mask.shape}")
    require_protocol(name, channels=1 if picture.ndim == 2 else picture.shape[2])
    return PROTOCOLS[name]


def _channels(picture: Picture, _: float) -> Iterator[Plane]:
    stack = picture[..., None] if picture.ndim == 2 else picture
    return (np.ascontiguousarray(stack[..., c], dtype=np.float64) for c in range(stack.shape[2]))


_LUMA = (65.481, 128.553, 24.966)
"""Of R, G and B in 0..1: ITU-R BT.601 in its limited range, 16 to 235, as MATLAB's rgb2ycbcr has it."""


def _luma(picture: Picture, data_range: float) -> Iterator[Plane]:
    """Y in whole levels, as rgb2ycbcr gives for integers; at other depths scaled by data_range / 255."""
    red, green, blue = (picture[..., c].astype(np.float64) for c in range(3))
    weighted = _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue
    yield np.floor((16 * data_range + weighted) / 255 + 0.5)


PROTOCOLS = {
    "wang2003": Protocol(
        "PSNR over all values; SSIM by 11x11 Gaussian, sigma 1.5, whole windows only, mean of the channels",
        SIMILARITIES["gaussian-valid"],
        (1, 3),
        _channels,
    ),
    "matlab-rgb3d": Protocol(
        "MATLAB's psnr and ssim of a (h, w, 3) array, as in tables of GoPro and HIDE: an 11x11x11 Gaussian that "
        "runs over the colours too, borders replicated",
        SIMILARITIES["gaussian-3d"],
        (3,),
        _channels,
    ),
    "y": Protocol(
        "PSNR and wang2003's SSIM of BT.601 luma in whole levels, as in tables of deraining",
        SIMILARITIES["gaussian-valid"],
        (3,),
        _luma,
    ),
    "skimage": Protocol(
        "scikit-image's defaults: SSIM by 7x7 mean, sample covariance, whole windows only, mean of the channels",
        SIMILARITIES["uniform-sample"],
        (1, 3),
        _channels,
    ),
}
