"""What training minimises: Charbonnier and edge distance, summed over a network's stages."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

EPSILON = 1e-3
"""Below this difference (of the [0, 1] range) the Charbonnier distance turns from linear to quadratic."""
LOSSES = ("charbonnier-edge",)
_BLUR = (0.05, 0.25, 0.4, 0.25, 0.05)


def restoration_loss(
    stages: Sequence[Tensor],
    target: Tensor,
    *,
    weight: Tensor | None = None,
    loss: str = "charbonnier-edge",
    edge_weight: float = 0.05,
    shift_px: int = 0,
) -> Tensor:
    """Charbonnier plus `edge_weight` times edge loss, summed over the stages; a scalar.

    Args:
        stages: restored images (b, c, h, w) in [0, 1].
        target: the truth, of the same shape.
        weight: (b, 1, h, w) in [0, 1]; where it is 0 a pixel pulls at nothing.
        edge_weight: 0 leaves the edge loss out.
    """
    if loss not in LOSSES or shift_px:
        raise ValueError(f"loss {loss!r} with a shift of {shift_px} px is not known")
    total = target.new_zeros(())
    for restored in stages:
        if restored.shape != target.shape:
            raise ValueError(f"restored {tuple(restored.shape)} and target {tuple(target.shape)} differ in shape")
        difference = restored - target if weight is None else (restored - target) * weight
        total = total + charbonnier(difference)
        if edge_weight:
            # The edge filter is linear, so one pass over the difference serves both images.
            total = total + edge_weight * charbonnier(laplacian_residual(difference))
    return total


def charbonnier(difference: Tensor) -> Tensor:
    """The mean over all pixels of sqrt(d^2 + EPSILON^2)."""
    return torch.sqrt(difference.square() + EPSILON**2).mean()


def laplacian_residual(images: Tensor) -> Tensor:
    """What one level of a Laplacian pyramid leaves of (b, c, h, w): blur, decimate by 2, expand, subtract."""
    coarse = torch.zeros_like(images)
    coarse[:, :, ::2, ::2] = 4.0 * _blur(images)[:, :, ::2, ::2]
    return images - _blur(coarse)


def _blur(images: Tensor) -> Tensor:
    """The pyramid's 5x5 binomial-like kernel, border pixels repeated."""
    channels = images.shape[1]
    row = images.new_tensor(_BLUR).expand(channels, 1, 1, 5)
    padded = functional.pad(images, (2, 2, 2, 2), mode="replicate")
    return functional.conv2d(functional.conv2d(padded, row, groups=channels), row.transpose(2, 3), groups=channels)
