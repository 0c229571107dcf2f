"""The mean that gates look at: of the whole map, or of a window around each pixel.

A network trained on crops meets other means on whole frames. Means over windows of about the training size close
that gap without training again (Chu et al., Improving Image Restoration by Revisiting Global Information
Aggregation, ECCV 2022: TLC).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

_CHANNELS_AT_ONCE = 8
"""Sums are float64, so a whole stack of them would be twice the size of the map."""


class Mean(nn.Module):
    """The mean of each channel over the map, or over a window of `window_hw` where that is set and smaller."""

    window_hw: tuple[int, int] | None = None

    def forward(self, features: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, c, 1, 1), or (b, c, h, w) where the mean is local."""
        if self.window_hw is None:
            return features.mean((2, 3), keepdim=True)
        height, width = (min(pair) for pair in zip(self.window_hw, features.shape[2:], strict=True))
        if (height, width) == tuple(features.shape[2:]):
            return features.mean((2, 3), keepdim=True)
        return sliding_mean(features, (height, width))


def sliding_mean(features: Tensor, window_hw: tuple[int, int]) -> Tensor:
    """The mean over the window around each pixel; near a border, that of the nearest whole window.

    Args:
        features: (b, c, h, w).
        window_hw: at most h and w.
    """
    means = torch.empty_like(features)
    for some, out in zip(
        torch.split(features, _CHANNELS_AT_ONCE, 1), torch.split(means, _CHANNELS_AT_ONCE, 1), strict=True
    ):
        # A running sum over millions of float32 pixels loses digits; float64 does not.
        rows = _sliding_sum(some.to(torch.float64), window_hw[0], dim=2)
        whole = _sliding_sum(rows, window_hw[1], dim=3) / (window_hw[0] * window_hw[1])
        margins = [side - inner for side, inner in zip(features.shape[2:], whole.shape[2:], strict=True)]
        top, left = margins[0] // 2, margins[1] // 2
        out.copy_(functional.pad(whole, (left, margins[1] - left, top, margins[0] - top), mode="replicate"))
    return means


def _sliding_sum(values: Tensor, window: int, *, dim: int) -> Tensor:
    """(…, n, …) -> (…, n - window + 1, …)."""
    total = values.cumsum(dim)
    inner = total.narrow(dim, window, total.shape[dim] - window) - total.narrow(dim, 0, total.shape[dim] - window)
    return torch.cat((total.narrow(dim, window - 1, 1), inner), dim)
