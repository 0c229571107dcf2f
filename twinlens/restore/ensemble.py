"""The mean over the eight turned and mirrored versions of an image."""

from collections.abc import Callable

import torch
from torch import Tensor


def over_dihedral_group(restore: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
    """The mean of `restore` over all eight versions of (b, c, h, w), each turned back.

    Timofte et al., Seven Ways to Improve Example-Based Single Image Super Resolution, CVPR 2016.
    """
    total = torch.zeros_like(image)
    for turns in range(4):
        for axes in ((), (3,)):
            version = torch.rot90(image.flip(axes), turns, (2, 3)).contiguous()
            total += torch.rot90(restore(version), -turns, (2, 3)).flip(axes)
    return total.div_(8)
