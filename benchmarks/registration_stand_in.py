"""Stand-ins for refocused photographs: rendered from photographs, and therefore not the real thing.

A photograph is blurred by a disc (a lens out of focus, without diffraction), enlarged by 1 % (focus breathing) and
shifted at twice the resolution, reduced by area, and given noise: one plane, one blur, a truth that is known.
"""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from registration_run import scene_set
from registration_truth import FloatArray
from registration_twin import Photograph
from scipy import ndimage

RADII_PX = (1.0, 3.0, 6.0)
"""Of the disc, on the frames."""
PHOTOGRAPHS = 2
BREATHING = 1.01
SHIFT_PX = (0.37, -0.21)
NOISE = 1.0
"""Grey levels of 255."""
_SOURCE_WH = (2000, 1500)
_FINER = 2
_SUBPIXELS = 16


def stand_ins(
    folder: Path, *, few: bool
) -> Iterator[tuple[str, NDArray[np.uint8], NDArray[np.uint8], FloatArray]]:
    """Name, A, B, and the true homography, of the largest photographs and every disc."""
    largest = sorted(scene_set(folder, _SOURCE_WH), key=lambda named: -named[1].size)
    rng = np.random.default_rng(0)
    for name, image in largest[: 1 if few else PHOTOGRAPHS]:
        for radius_px in RADII_PX:
            yield f"stand-in {name[-12:]} r={radius_px:g}", *refocused(image, radius_px, rng=rng)


def refocused(
    image: Photograph, radius_px: float, *, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], FloatArray]:
    """A and B (h, w) at half the photograph's resolution, and B's pixels of A's (3, 3)."""
    fine = image[: image.shape[0] // _FINER * _FINER, : image.shape[1] // _FINER * _FINER]
    blurred = cv2.filter2D(fine, cv2.CV_32F, disc(_FINER * radius_px), borderType=cv2.BORDER_REFLECT_101)
    middle = (np.array(fine.shape) - 1) / 2
    shift = _FINER * np.array(SHIFT_PX[::-1])
    # B at q shows the photograph at (q - middle - shift) / breathing + middle.
    moved = ndimage.affine_transform(
        blurred,
        np.full(2, 1 / BREATHING),
        offset=middle - (middle + shift) / BREATHING,
        order=3,
        mode="mirror",
        output=np.float32,
    )
    centre_xy = ((np.array(fine.shape) / _FINER - 1) / 2)[::-1]
    b_from_a = np.diag([BREATHING, BREATHING, 1.0])
    b_from_a[:2, 2] = centre_xy * (1 - BREATHING) + SHIFT_PX
    return exposed(fine, rng=rng), exposed(moved, rng=rng), b_from_a


def disc(radius_px: float) -> NDArray[np.float32]:
    """A uniform disc (k, k), each pixel by the share of it that the disc covers."""
    reach = int(np.ceil(radius_px + 0.5))
    line = (np.arange((2 * reach + 1) * _SUBPIXELS) + 0.5) / _SUBPIXELS - reach - 0.5
    inside = (line[:, None] ** 2 + line[None, :] ** 2 <= radius_px**2).astype(np.float64)
    cover = inside.reshape(2 * reach + 1, _SUBPIXELS, 2 * reach + 1, _SUBPIXELS).mean(axis=(1, 3))
    return np.asarray(cover / cover.sum(), np.float32)


def exposed(fine: NDArray[np.float32], *, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Reduced by area, with noise, 8 bits."""
    size_wh = fine.shape[1] // _FINER, fine.shape[0] // _FINER
    levels = cv2.resize(fine, size_wh, interpolation=cv2.INTER_AREA)
    return np.clip(np.rint(levels + NOISE * rng.standard_normal(levels.shape)), 0, 255).astype(np.uint8)
