"""What training minimises, by name: distances of pixels, edges and spectra, summed over a network's stages.

Every loss is the mean over the images of a batch of what it is for one image, so that batches of any size, and
processes that share them, pull alike.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

EPSILON = 1e-3
"""Below this difference (of the [0, 1] range) the Charbonnier distance turns from linear to quadratic."""
SPECTRUM_WEIGHT = 0.1
"""Weight of the Fourier term beside L1; Cho et al., Rethinking Coarse-to-Fine Approach, ICCV 2021."""
_BLUR = (0.05, 0.25, 0.4, 0.25, 0.05)
_LAPLACE = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))

Distance = Callable[[Tensor, float], Tensor]
"""(differences (b, c, h, w), weight of the edge term) -> (b,)."""


def restoration_loss(
    stages: Sequence[Tensor],
    target: Tensor,
    *,
    weight: Tensor | None = None,
    loss: str = "charbonnier-edge",
    edge_weight: float = 0.05,
    shift_px: int = 0,
) -> Tensor:
    """The loss `loss`, summed over the stages; a scalar, computed in float32 or better.

    Args:
        stages: restored images (b, c, h, w) in [0, 1].
        target: the truth, of the same shape.
        weight: (b, 1, h, w) in [0, 1]; where it is 0 a pixel pulls at nothing.
        loss: a name of `LOSSES`.
        edge_weight: of the edge term, where the loss has one; 0 leaves it out.
        shift_px: forgives each image the misregistration of up to so many whole px that explains it best; the
            outermost `shift_px` of the images then pull at nothing. Not fractions of a px: an interpolated
            target is a softer one.
    """
    if loss not in LOSSES:
        raise ValueError(f"no loss is named {loss!r}; known are: {', '.join(LOSSES)}")

    def distance(difference: Tensor) -> Tensor:
        return LOSSES[loss](difference, edge_weight)

    total = torch.zeros((), dtype=torch.promote_types(target.dtype, torch.float32), device=target.device)
    # Under autocast the edge filters would run in bfloat16, whose steps are as large as what is left to restore.
    with torch.autocast(target.device.type, enabled=False):
        for restored in stages:
            if restored.shape != target.shape:
                raise ValueError(
                    f"restored {tuple(restored.shape)} and target {tuple(target.shape)} differ in shape"
                )
            restored = restored.to(total.dtype)  # noqa: PLW2901 - sums over many pixels need the digits
            if shift_px:
                difference = _at_best_shift(restored, target, weight, reach=shift_px, distance=distance)
            else:
                difference = restored - target if weight is None else (restored - target) * weight
            total = total + distance(difference).mean()
    return total


def charbonnier_edge(difference: Tensor, edge_weight: float) -> Tensor:
    """As in the code published with Zamir et al. 2021: means over pixels, edges by a Laplacian pyramid."""
    found = charbonnier(difference)
    # The edge filter is linear, so one pass over the difference serves both images.
    return found + edge_weight * charbonnier(laplacian_residual(difference)) if edge_weight else found


def charbonnier_edge_formula(difference: Tensor, edge_weight: float) -> Tensor:
    """As the papers print it: sqrt(||X - Y||^2 + eps^2) over the image, edges by the Laplace operator.

    Zamir et al. 2021, equations 2 to 4. A norm grows with the root of the number of pixels where a mean does not,
    and its gradient is that of the image's root mean square error: no pixel counts less for being far off.
    """
    found = _norm(difference)
    return found + edge_weight * _norm(laplacian(difference)) if edge_weight else found


def charbonnier_alone(difference: Tensor, edge_weight: float) -> Tensor:  # noqa: ARG001
    """The mean over pixels of sqrt(d^2 + eps^2), without edges: the published recipe for denoising.

    That recipe also clamps the images to [0, 1] before, which stops the gradient of a pixel out of range; here it
    pulls.
    """
    return charbonnier(difference)


def l1(difference: Tensor, edge_weight: float) -> Tensor:  # noqa: ARG001
    """The mean absolute difference."""
    return difference.abs().mean((1, 2, 3))


def l1_and_spectrum(difference: Tensor, edge_weight: float) -> Tensor:
    """L1 plus 0.1 times the mean absolute difference of the Fourier transforms, of real and imaginary parts.

    The transform is orthonormal, so that both terms weigh alike at any size; Cho et al. sum over an unscaled one.
    """
    spectrum = torch.view_as_real(torch.fft.rfft2(difference, norm="ortho"))
    return l1(difference, edge_weight) + SPECTRUM_WEIGHT * spectrum.abs().mean((1, 2, 3, 4))


LOSSES: Mapping[str, Distance] = {
    "charbonnier-edge": charbonnier_edge,
    "charbonnier-edge-formula": charbonnier_edge_formula,
    "charbonnier": charbonnier_alone,
    "l1": l1,
    "fft": l1_and_spectrum,
}
"""By name."""


def charbonnier(difference: Tensor) -> Tensor:
    """(b,): the mean over the pixels of sqrt(d^2 + EPSILON^2)."""
    return torch.sqrt(difference.square() + EPSILON**2).mean((1, 2, 3))


def laplacian_residual(images: Tensor) -> Tensor:
    """What one level of a Laplacian pyramid leaves of (b, c, h, w): blur, decimate by 2, expand, subtract."""
    coarse = torch.zeros_like(images)
    coarse[:, :, ::2, ::2] = 4.0 * _blur(images)[:, :, ::2, ::2]
    return images - _blur(coarse)


def laplacian(images: Tensor) -> Tensor:
    """The sum of second differences of (b, c, h, w), border pixels repeated."""
    channels = images.shape[1]
    kernel = images.new_tensor(_LAPLACE).expand(channels, 1, 3, 3)
    return functional.conv2d(functional.pad(images, (1, 1, 1, 1), mode="replicate"), kernel, groups=channels)


def _norm(difference: Tensor) -> Tensor:
    return torch.sqrt(difference.square().sum((1, 2, 3)) + EPSILON**2)


def _at_best_shift(
    restored: Tensor, target: Tensor, weight: Tensor | None, *, reach: int, distance: Callable[[Tensor], Tensor]
) -> Tensor:
    """Weighted differences (b, c, h - 2 reach, w - 2 reach) under each image's best shift."""
    height, width = (side - 2 * reach for side in target.shape[2:])
    if reach < 0 or min(height, width) < 1:
        raise ValueError(f"images of {tuple(target.shape[2:])} px cannot be shifted by {reach} px")
    inner = restored[:, :, reach : reach + height, reach : reach + width]
    # A pixel counts as little as any within reach of it: else a shift would gain by hiding pixels.
    counted = 1.0 if weight is None else -functional.max_pool2d(-weight, 2 * reach + 1, stride=1)
    corners = itertools.product(range(2 * reach + 1), repeat=2)
    # Of two shifts that explain an image equally well, the smaller one is believed.
    nearest_first = sorted(corners, key=lambda corner: sum((place - reach) ** 2 for place in corner))
    windows = [target[:, :, down : down + height, right : right + width] for down, right in nearest_first]
    with torch.no_grad():
        losses = torch.stack([distance((inner - window) * counted) for window in windows])
    best = losses.argmin(0).tolist()
    return (inner - torch.stack([windows[shift][image] for image, shift in enumerate(best)])) * counted


def _blur(images: Tensor) -> Tensor:
    """The pyramid's 5x5 binomial-like kernel, border pixels repeated."""
    channels = images.shape[1]
    row = images.new_tensor(_BLUR).expand(channels, 1, 1, 5)
    padded = functional.pad(images, (2, 2, 2, 2), mode="replicate")
    return functional.conv2d(functional.conv2d(padded, row, groups=channels), row.transpose(2, 3), groups=channels)
