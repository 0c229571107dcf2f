"""A picture goes in and comes out in its own shape and bit depth, whole or in tiles."""

import copy
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from twinlens.errors import RestoreError, SettingsError
from twinlens.pixels import Picture
from twinlens.restore.memory import BACKEND_BYTES, GIB
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


class Brighter(Network):
    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (images + 0.5,)


class Greedy(Network):
    """Needs an exbibyte where it really runs, and nothing on the meta device."""

    def forward(self, images: Tensor) -> tuple[Tensor]:
        if images.device.type == "meta":
            return (images * 1.0,)
        return (torch.empty(1 << 60, dtype=torch.uint8),)


class Broken(Network):
    def forward(self, images: Tensor) -> tuple[Tensor]:
        if images.device.type != "meta":
            raise RuntimeError("not about memory")
        return (images,)


def quiet_mprnet() -> Network:
    torch.manual_seed(0)
    network = build_network("mprnet", channels=1, hyper_parameters=preset("mprnet", "tiny"))
    network.quieten(0.1)
    return network


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
    whole = Restorer(network, bit_depth=16, settings=RestoreSettings(precision="float32"))(picture)
    in_tiles = RestoreSettings(tile_px=96, overlap_px=32, precision="float32")
    tiled = Restorer(network, bit_depth=16, settings=in_tiles)(picture)
    assert np.abs(whole.astype(int) - tiled).max() <= 1  # rounding of a float32 that the blend touched


def test_mprnet_in_tiles_stays_close_to_mprnet_on_the_whole_picture() -> None:
    network = quiet_mprnet()
    rows, columns = np.mgrid[0:200, 0:264]
    picture = (128 + 60 * np.sin(rows / 5) * np.cos(columns / 7)).astype(np.uint8)
    whole = Restorer(network, bit_depth=8)(picture).astype(int)
    in_tiles = RestoreSettings(tile_px=128, overlap_px=32)
    tiled = Restorer(network, bit_depth=8, settings=in_tiles)(picture).astype(int)
    # Its channel means and its cuts see the whole input, so equality cannot be asked for.
    assert np.abs(whole - tiled).max() < np.abs(whole - picture).max()


def test_bfloat16_costs_less_than_a_grey_level_or_two() -> None:
    network, picture = quiet_mprnet(), picture_of((64, 64), 8)
    exact = Restorer(network, bit_depth=8, settings=RestoreSettings(precision="float32"))(picture).astype(int)
    low = Restorer(network, bit_depth=8, settings=RestoreSettings(precision="bfloat16"))
    assert np.abs(exact - low(picture)).max() <= 2
    assert low.precision == torch.bfloat16
    assert next(network.parameters()).dtype == torch.float32  # the restorer works on a copy


def test_a_float_picture_comes_out_as_float_and_clipped() -> None:
    picture = np.random.default_rng(1).random((21, 30), np.float32)
    np.testing.assert_array_equal(Restorer(Identity(1), bit_depth=8)(picture), picture)
    brighter = Restorer(Brighter(1), bit_depth=8)(picture)
    assert brighter.dtype == np.float32
    np.testing.assert_allclose(brighter, np.minimum(picture + 0.5, 1), atol=1e-6)
    for wrong in (picture * 255, picture - 1, np.full((8, 8), np.nan, np.float32)):
        with pytest.raises(RestoreError, match="between 0 and 1"):
            Restorer(Identity(1), bit_depth=8)(wrong)


def test_where_the_whole_picture_does_not_fit_the_result_is_that_of_tiles_that_do() -> None:
    network, picture = quiet_mprnet(), picture_of((200, 264), 8)
    whole = Restorer(network, bit_depth=8, settings=RestoreSettings(precision="float32", overlap_px=32))
    plan = whole.plan((200, 264))
    assert plan.is_whole
    scarce_gib = (plan.need_bytes + BACKEND_BYTES) / 2 / GIB
    scarce = RestoreSettings(memory_gib=scarce_gib, precision="float32", overlap_px=32)
    in_tiles = Restorer(network, bit_depth=8, settings=scarce)
    chosen = in_tiles.plan((200, 264))
    assert chosen.need_bytes <= scarce_gib * GIB < chosen.whole_bytes
    forced = RestoreSettings(tile_px=max(chosen.tile_hw), precision="float32", overlap_px=32)
    expected = Restorer(network, bit_depth=8, settings=forced)(picture)
    np.testing.assert_array_equal(in_tiles(picture), expected)
    assert not np.array_equal(whole(picture), expected)


def test_where_not_even_the_smallest_tile_fits_the_error_says_so() -> None:
    restorer = Restorer(quiet_mprnet(), bit_depth=8, settings=RestoreSettings(memory_gib=0.01))
    with pytest.raises(RestoreError, match=r"0\.01 GiB may be taken") as refused:
        restorer(picture_of((300, 300), 8))
    assert "no tile is small enough" in refused.value.hint


def test_memory_that_runs_out_against_all_reckoning_ends_with_a_tile_size() -> None:
    with pytest.raises(RestoreError, match="memory ran out") as refused:
        Restorer(Greedy(1), bit_depth=8)(picture_of((2600, 2600), 8))
    assert "--tile" in refused.value.hint
    with pytest.raises(RuntimeError, match="not about memory"):
        Restorer(Broken(1), bit_depth=8)(picture_of((16, 16), 8))


def test_tiles_are_reported_as_they_are_done() -> None:
    told: list[tuple[int, int]] = []
    restorer = Restorer(Identity(1), bit_depth=8, settings=RestoreSettings(tile_px=96, overlap_px=16))
    restorer(picture_of((100, 200), 8), on_tile=lambda done, total: told.append((done, total)))
    assert told == [(k, 6) for k in range(1, 7)]


def test_the_ensemble_commutes_with_turning_and_mirroring() -> None:
    network, picture = quiet_mprnet(), picture_of((40, 56), 8)
    settings = RestoreSettings(ensemble=True, precision="float32")
    restorer, once = Restorer(network, bit_depth=8, settings=settings), Restorer(network, bit_depth=8)
    restored = restorer(picture).astype(int)
    assert np.abs(restorer(np.rot90(picture)[:, ::-1].copy()) - np.rot90(restored)[:, ::-1]).max() <= 1
    assert not np.array_equal(restored, once(picture))


def test_local_means_are_those_of_the_training_crops() -> None:
    network, picture = quiet_mprnet(), picture_of((64, 64), 16)
    local = RestoreSettings(pool="local", precision="float32")
    with pytest.raises(RestoreError, match="training crops"):
        Restorer(network, bit_depth=16, settings=local)
    restored = Restorer(network, bit_depth=16, settings=local, crop_px=24)(picture)
    exact = RestoreSettings(precision="float32")
    assert not np.array_equal(restored, Restorer(network, bit_depth=16, settings=exact)(picture))
    expected = Restorer(copy.deepcopy(network).localise((24, 24)), bit_depth=16, settings=exact)(picture)
    np.testing.assert_array_equal(restored, expected)


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
