"""A picture goes in and comes out in its own shape and bit depth, whole or in tiles."""

from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from twinlens.errors import RestoreError, SettingsError
from twinlens.pixels import Picture
from twinlens.restore.networks import build_network, preset
from twinlens.restore.networks.network import Network
from twinlens.restore.restorer import Restorer, RestoreSettings


class LocalNetwork(Network):
    """Two 3x3 convolutions: it sees 2 px far, so its tiles must agree with the whole picture."""

    size_multiple: ClassVar[int] = 8

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.first = nn.Conv2d(channels, 6, 3, padding=1)
        self.second = nn.Conv2d(6, channels, 3, padding=1)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        self.require_shape(images)
        return (images + 0.3 * self.second(torch.relu(self.first(images))),)


class Identity(Network):
    size_multiple: ClassVar[int] = 8

    def forward(self, images: Tensor) -> tuple[Tensor]:
        self.require_shape(images)
        return (images,)


def picture_of(shape: tuple[int, ...], bit_depth: int) -> Picture:
    values = np.random.default_rng(5).integers(0, 2**bit_depth, shape)
    return values.astype(np.uint8) if bit_depth == 8 else values.astype(np.uint16)


@pytest.mark.parametrize("shape", [(64, 80), (45, 61), (3, 50), (1, 1), (33, 70, 3)])
@pytest.mark.parametrize("bit_depth", [8, 10, 12, 16])
def test_a_network_that_changes_nothing_gives_the_picture_back(shape: tuple[int, ...], bit_depth: int) -> None:
    picture = picture_of(shape, bit_depth)
    restorer = Restorer(Identity(1 if len(shape) == 2 else 3), bit_depth=bit_depth)
    restored = restorer(picture)
    assert restored.dtype == picture.dtype
    np.testing.assert_array_equal(restored, picture)


@pytest.mark.parametrize("shape", [(200, 264), (205, 259), (180, 300, 3)])
def test_tiled_equals_whole_for_a_network_that_sees_less_than_the_overlap(shape: tuple[int, ...]) -> None:
    torch.manual_seed(2)
    network, picture = LocalNetwork(1 if len(shape) == 2 else 3), picture_of(shape, 16)
    whole = Restorer(network, bit_depth=16)(picture)
    in_tiles = RestoreSettings(whole_up_to_px=0, tile_px=96, overlap_px=32)
    tiled = Restorer(network, bit_depth=16, settings=in_tiles)(picture)
    assert np.abs(whole.astype(int) - tiled).max() <= 1  # rounding of a float32 that the blend touched


def test_mprnet_in_tiles_stays_close_to_mprnet_on_the_whole_picture() -> None:
    torch.manual_seed(0)
    network = build_network("mprnet", channels=1, hyper_parameters=preset("mprnet", "tiny"))
    network.quieten(0.1)
    rows, columns = np.mgrid[0:200, 0:264]
    picture = (128 + 60 * np.sin(rows / 5) * np.cos(columns / 7)).astype(np.uint8)
    whole = Restorer(network, bit_depth=8)(picture).astype(int)
    in_tiles = RestoreSettings(whole_up_to_px=0, tile_px=128, overlap_px=32)
    tiled = Restorer(network, bit_depth=8, settings=in_tiles)(picture).astype(int)
    # Its channel means and its cuts see the whole input, so equality cannot be asked for.
    assert np.abs(whole - tiled).max() < np.abs(whole - picture).max()


def test_bfloat16_costs_less_than_a_grey_level_or_two() -> None:
    torch.manual_seed(0)
    network = build_network("mprnet", channels=1, hyper_parameters=preset("mprnet", "tiny"))
    network.quieten(0.1)
    picture = picture_of((64, 64), 8)
    exact = Restorer(network, bit_depth=8)(picture).astype(int)
    low = Restorer(network, bit_depth=8, settings=RestoreSettings(precision="bfloat16"))(picture)
    assert np.abs(exact - low).max() <= 2


@pytest.mark.parametrize(
    ("channels", "bit_depth", "shape", "given_depth", "words"),
    [
        (1, 8, (16, 16, 3), 8, "3 channel"),
        (3, 8, (16, 16), 8, "1 channel"),
        (1, 8, (16, 16), 16, "8 bit"),
        (1, 12, (16, 16), 8, "12 bit"),
        (1, 10, (16, 16), 12, "10 bit"),
    ],
)
def test_a_picture_of_another_kind_is_refused(
    channels: int, bit_depth: int, shape: tuple[int, ...], given_depth: int, words: str
) -> None:
    restorer = Restorer(Identity(channels), bit_depth=bit_depth)
    with pytest.raises(RestoreError, match=words) as refused:
        restorer(picture_of(shape, given_depth))
    assert refused.value.hint


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(SettingsError, match="tile_px"):
        RestoreSettings(tile_px=64, overlap_px=64)
    with pytest.raises(SettingsError, match="precision"):
        RestoreSettings.from_dict({"precision": "float16"})
