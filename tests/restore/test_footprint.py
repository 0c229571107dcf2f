"""The peak of live tensors, against one worked out by hand, and the promise for a whole frame."""

import torch
from plain_mprnet import PlainMPRNet
from torch import Tensor, nn

from twinlens.restore.footprint import live_peak_bytes
from twinlens.restore.networks import build_network, preset
from twinlens.restore.networks.network import Network

MIB, GIB = 2**20, 2**30


class Three(Network):
    """Widens 1 to 4 channels, keeps them, and adds one map of them to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.layers = nn.Sequential(nn.Conv2d(1, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 1, 1))

    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (self.layers(images) + images,)


def test_the_peak_is_what_is_alive_at_the_widest_place() -> None:
    # The image (1 map), and input and output of the middle convolution (4 + 4).
    assert live_peak_bytes(Three(1), (1, 1, 1024, 1024)) == 9 * 4 * MIB


def test_a_whole_frame_of_the_deblurring_size_fits_the_promise() -> None:
    with torch.device("meta"):
        network = build_network("mprnet", channels=1, hyper_parameters=preset("mprnet", "deblur"))
        plain = PlainMPRNet(1, 96, 48, 32, 8)
    frame = (1, 1, 2048, 2592)
    single = live_peak_bytes(network, frame) / GIB
    assert single < 14
    assert live_peak_bytes(network, frame, dtype=torch.bfloat16) / GIB < 7
    assert live_peak_bytes(plain, frame) / GIB > 2 * single
