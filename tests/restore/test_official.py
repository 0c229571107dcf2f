"""Published weights come in and go out; a file that holds more than weights is refused before anything runs."""

import io
import json
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from torch import Tensor

from twinlens.errors import CheckpointError
from twinlens.restore.checkpoint import Checkpoint, load_checkpoint, write_checkpoint
from twinlens.restore.networks import build_network, preset
from twinlens.restore.networks.mprnet import MPRNet
from twinlens.restore.official import read_official, read_official_checkpoint, write_official


def published(channels: int = 3) -> MPRNet:
    torch.manual_seed(5)
    network = build_network("mprnet", channels=channels, hyper_parameters=preset("mprnet", "tiny"))
    assert isinstance(network, MPRNet)
    return network.eval()


def equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


def as_trained(weights: dict[str, Tensor], path: Path) -> None:
    optimiser = torch.optim.Adam([torch.nn.Parameter(torch.zeros(2))])
    prefixed = {f"module.{name}": tensor for name, tensor in weights.items()}
    torch.save({"epoch": 3000, "state_dict": prefixed, "optimizer": optimiser.state_dict()}, path)


def as_before_torch_1_6(weights: dict[str, Tensor], path: Path) -> None:
    torch.save(weights, path, _use_new_zipfile_serialization=False)


def as_safetensors(weights: dict[str, Tensor], path: Path) -> None:
    safetensors.torch.save_file(weights, path)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("write", [as_trained, as_before_torch_1_6, as_safetensors])
def test_published_weights_become_a_checkpoint_that_restores_alike(
    write: Callable[[dict[str, Tensor], Path], None], channels: int, tmp_path: Path
) -> None:
    network, path = published(channels), tmp_path / "model_deblurring.pth"
    write(network.to_official_state_dict(), path)
    write_checkpoint(tmp_path / "ours.safetensors", read_official_checkpoint(path))
    loaded = load_checkpoint(tmp_path / "ours.safetensors", network="mprnet")
    card = loaded.card
    assert (card.channels, card.bit_depth, card.dataset_hash, card.step) == (channels, 8, "", 0)
    assert card.settings == {"imported_from": "model_deblurring.pth", "crop_px": 256}
    images = torch.rand(1, channels, 16, 24)
    with torch.inference_mode():
        assert torch.equal(loaded.build()(images)[0], network(images)[0])


def test_weights_go_out_as_they_came_in(tmp_path: Path) -> None:
    weights = published().to_official_state_dict()
    as_trained(weights, tmp_path / "theirs.pth")
    write_official(tmp_path / "ours.pth", read_official_checkpoint(tmp_path / "theirs.pth"))
    assert equal(read_official(tmp_path / "ours.pth"), weights)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["ours.pth", "theirs.pth"]


@pytest.mark.parametrize(("name", "changes"), [("nafnet", {}), ("mprnet", {"split": "none"})])
def test_a_network_that_nobody_published_does_not_go_out(
    name: str, changes: dict[str, str], tmp_path: Path
) -> None:
    network = build_network(name, channels=1, hyper_parameters={**preset(name, "tiny"), **changes})
    as_trained(published().to_official_state_dict(), tmp_path / "theirs.pth")
    card = read_official_checkpoint(tmp_path / "theirs.pth").card.as_dict()
    del card["schema"], card["schema_version"]
    card |= {"network": name, "hyper_parameters": network.hyper_parameters, "channels": 1}
    checkpoint = Checkpoint.of(network, type(read_official_checkpoint(tmp_path / "theirs.pth").card)(**card))
    with pytest.raises(CheckpointError, match="other tools know mprnet with 'patches'"):
        write_official(tmp_path / "ours.pth", checkpoint)
    assert not (tmp_path / "ours.pth").exists()


class Bomb:
    """Unpickled without care, it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.mark,))


def bomb_in_a_pickle(mark: Path, path: Path) -> None:
    path.write_bytes(pickle.dumps({"state_dict": Bomb(mark)}))


def bomb_in_a_zip(mark: Path, path: Path) -> None:
    torch.save({"state_dict": {"tail.weight": torch.zeros(1)}, "optimizer": Bomb(mark)}, path)


def bomb_beside_weights(mark: Path, path: Path) -> None:
    weights = published().to_official_state_dict()
    torch.save({"state_dict": weights, "epoch": Bomb(mark)}, path, _use_new_zipfile_serialization=False)


def bomb_in_a_tar(mark: Path, path: Path) -> None:
    # The form of torch 0.1, which releases before 2.6 unpickled in full even when asked for weights only.
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("storages", "tensors", "pickle"):
            content = pickle.dumps(Bomb(mark))
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


BOMBS = (bomb_in_a_pickle, bomb_in_a_zip, bomb_beside_weights, bomb_in_a_tar)


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_pickle_bomb_is_refused_without_running(bomb: Callable[[Path, Path], None], tmp_path: Path) -> None:
    mark, path = tmp_path / "exploded", tmp_path / "model.pth"
    bomb(mark, path)
    for read in (read_official, read_official_checkpoint, load_checkpoint):
        with pytest.raises(CheckpointError) as refused:
            read(path)
        assert refused.value.hint
        assert str(path) in refused.value.message
        assert "weights_only" not in refused.value.message  # torch's advice would set it off
    assert not mark.exists()


def test_what_a_file_asks_to_run_is_named(tmp_path: Path) -> None:
    bomb_in_a_zip(tmp_path / "exploded", tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match="asks to run getattr, and was refused before anything ran"):
        read_official(tmp_path / "model.pth")


def test_the_bomb_would_go_off_where_nobody_took_care(tmp_path: Path) -> None:
    bomb_in_a_zip(tmp_path / "exploded", tmp_path / "model.pth")
    torch.load(tmp_path / "model.pth", weights_only=False)
    assert (tmp_path / "exploded").exists()


@pytest.mark.parametrize("kept", [0, 1, 2, 40, 4000, -1, -200])
@pytest.mark.parametrize("write", [as_trained, as_before_torch_1_6, as_safetensors])
def test_a_truncated_file_is_refused(
    write: Callable[[dict[str, Tensor], Path], None], kept: int, tmp_path: Path
) -> None:
    path = tmp_path / "model.pth"
    write(published().to_official_state_dict(), path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError) as refused:
        read_official(path)
    assert refused.value.hint


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([1.0, 2.0], "holds a list without weights"),
        ({}, "holds a dict without weights"),
        ({"state_dict": 3}, "holds a dict without weights"),
        ({"epoch": 7}, "'epoch' is no array"),
        ({"state_dict": {"a": torch.zeros(2, dtype=torch.int64)}}, "'a' is no array of floating-point"),
        ({"a": torch.zeros(1).expand(10**12)}, "'a' is no array of floating-point"),
        ({"a": torch.zeros(2, 2).to_sparse()}, "'a' is no array of floating-point"),
        ({1: torch.zeros(2)}, "1 is no array of floating-point"),
    ],
)
def test_what_is_no_state_dict_is_refused(content: object, words: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=words):
        read_official(path)


def test_a_missing_file_and_one_of_another_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_official(tmp_path / "none.pth")
    other = build_network("nafnet", channels=3, hyper_parameters=preset("nafnet", "tiny"))
    torch.save(other.state_dict(), tmp_path / "nafnet.pth")
    with pytest.raises(CheckpointError, match="has no convolution shallow_feat1"):
        read_official_checkpoint(tmp_path / "nafnet.pth")


def test_a_network_that_takes_three_channels_and_gives_one_is_refused(tmp_path: Path) -> None:
    weights = published().to_official_state_dict()
    weights["tail.weight"] = weights["tail.weight"][:1].clone()
    torch.save(weights, tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match=r"takes 3 channel\(s\) and gives 1"):
        read_official_checkpoint(tmp_path / "model.pth")


def test_a_card_of_another_channel_count_than_its_weights_is_refused(tmp_path: Path) -> None:
    as_trained(published().to_official_state_dict(), tmp_path / "model.pth")
    checkpoint = read_official_checkpoint(tmp_path / "model.pth")
    arrays = {name: tensor.numpy() for name, tensor in checkpoint.weights.items()}
    card = {**checkpoint.card.as_dict(), "channels": 1}
    safetensors.numpy.save_file(
        {name: np.ascontiguousarray(array) for name, array in arrays.items()},
        tmp_path / "mono.safetensors",
        metadata={"card": json.dumps(card)},
    )
    with pytest.raises(CheckpointError, match="the weights are not those of mprnet"):
        load_checkpoint(tmp_path / "mono.safetensors").build()


def test_weights_of_bfloat16_in_safetensors_are_read_exactly(tmp_path: Path) -> None:
    weights = {"a": torch.randn(3, 4).to(torch.bfloat16)}
    safetensors.torch.save_file(weights, tmp_path / "low.safetensors")
    assert torch.equal(read_official(tmp_path / "low.safetensors")["a"], weights["a"].float())


@pytest.mark.parametrize(("width", "reduction"), [(8, 3), (40, 16), (12, 5)])
def test_any_reduction_comes_back_from_its_shapes(width: int, reduction: int) -> None:
    network = MPRNet(1, width=width, level_step=4, stage3_step=4, cab_count=1, reduction=reduction)
    again = MPRNet.from_official_state_dict(network.to_official_state_dict())
    assert [w.shape for w in again.parameters()] == [w.shape for w in network.parameters()]


def test_weights_that_are_not_finite_or_named_twice_are_refused() -> None:
    weights = MPRNet(1, **MPRNet.presets["tiny"]).to_official_state_dict()
    with pytest.raises(CheckpointError, match=r"tail.weight holds numbers that are not finite"):
        MPRNet.from_official_state_dict({**weights, "tail.weight": weights["tail.weight"] * torch.nan})
    with pytest.raises(CheckpointError, match=r"with and without 'module.'"):
        MPRNet.from_official_state_dict({**weights, "module.tail.weight": weights["tail.weight"]})
