"""A checkpoint comes back as it was written, opens elsewhere, and anything else is refused in words."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy
import torch

from twinlens.errors import CheckpointError
from twinlens.restore.checkpoint import Checkpoint, CheckpointCard, load_checkpoint, write_checkpoint
from twinlens.restore.networks import build_network, preset
from twinlens.restore.tensors import read_tensors, write_tensors


def tiny_card() -> CheckpointCard:
    return CheckpointCard(
        network="mprnet",
        hyper_parameters={**preset("mprnet", "tiny"), "reduction": 4},
        channels=1,
        bit_depth=8,
        dataset_hash="ab" * 32,
        settings={"steps": 7},
        step=7,
        metrics={"validation_psnr_db": 31.5},
    )


@pytest.fixture
def checkpoint() -> Checkpoint:
    torch.manual_seed(4)
    network = build_network("mprnet", channels=1, hyper_parameters=preset("mprnet", "tiny"))
    return Checkpoint.of(network, tiny_card())


@pytest.fixture
def path(checkpoint: Checkpoint, tmp_path: Path) -> Path:
    path = tmp_path / "best.safetensors"
    write_checkpoint(path, checkpoint)
    return path


def test_a_checkpoint_restores_the_same_picture_after_writing(checkpoint: Checkpoint, path: Path) -> None:
    images = torch.rand(1, 1, 16, 24)
    loaded = load_checkpoint(path, network="mprnet")
    assert loaded.card == checkpoint.card
    with torch.inference_mode():
        assert torch.equal(loaded.build()(images)[0], checkpoint.build()(images)[0])


def test_the_shared_slope_is_stored_once_and_reaches_every_alias(checkpoint: Checkpoint, path: Path) -> None:
    slopes = [name for name, tensor in checkpoint.weights.items() if tensor.ndim == 1]
    assert slopes == ["shallow_feat1.1.body.1.weight"]
    network = load_checkpoint(path).build()
    aliases = [tensor for tensor in network.state_dict().values() if tensor.ndim == 1]
    assert len(aliases) > 30
    assert len({tensor.data_ptr() for tensor in aliases}) == 1


def test_a_snapshot_does_not_follow_later_training(checkpoint: Checkpoint) -> None:
    network = checkpoint.build()
    snapshot = Checkpoint.of(network, tiny_card())
    before = {name: tensor.clone() for name, tensor in snapshot.weights.items()}
    with torch.no_grad():
        for tensor in network.parameters():
            tensor.add_(1.0)
    assert all(torch.equal(before[name], tensor) for name, tensor in snapshot.weights.items())


def test_the_safetensors_package_reads_what_we_write(checkpoint: Checkpoint, path: Path) -> None:
    arrays = safetensors.numpy.load_file(path)
    assert set(arrays) == set(checkpoint.weights)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, checkpoint.weights[name].numpy())
    with safetensors.safe_open(path, framework="numpy") as file:
        assert json.loads(file.metadata()["card"])["schema"] == "twinlens.checkpoint"


def test_we_read_what_the_safetensors_package_writes(tmp_path: Path) -> None:
    path = tmp_path / "theirs.safetensors"
    kinds = (np.float64, np.float32, np.float16, np.int64, np.uint8)
    arrays = {kind.__name__: np.arange(6).reshape(2, 3).astype(kind) for kind in kinds}
    safetensors.numpy.save_file(arrays, path, metadata={"by": "them"})
    found, metadata = read_tensors(path)
    assert metadata == {"by": "them"}
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


@pytest.mark.parametrize("kept", [0, 7, 100, 4000, -1])
def test_a_truncated_file_is_refused(path: Path, kept: int) -> None:
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError) as refused:
        load_checkpoint(path)
    assert str(path) in refused.value.message
    assert refused.value.hint


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04 a pickle in a zip, as torch.save writes it" * 20,
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 64) + b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}   ' + bytes(4),
        struct.pack("<Q", 64) + b'{"a": {"dtype": "XX", "shape": [1], "data_offsets": [0, 4]}}    ' + bytes(4),
        struct.pack("<Q", 32) + b'{"a": 3}                        ' + bytes(4),
        struct.pack("<Q", 2**63) + b"{}",
    ],
)
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="foreign"):
        load_checkpoint(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(tmp_path / "none.safetensors")


def rewritten(path: Path, **changes: object) -> Path:
    """The same arrays under a card with other fields; a field given as None is left out."""
    arrays, metadata = read_tensors(path)
    card = {**json.loads(metadata["card"]), **changes}
    card = {name: value for name, value in card.items() if value is not None}
    write_tensors(path, arrays, {"card": json.dumps(card)})
    return path


def test_weights_without_a_card_are_refused(path: Path) -> None:
    arrays, _ = read_tensors(path)
    write_tensors(path, arrays, {})
    with pytest.raises(CheckpointError, match="no twinlens card"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": "somebody.else"}, "somebody.else"),
        ({"schema_version": "2.0.0"}, "schema version 2.0.0"),
        ({"bit_depth": None}, "incomplete card"),
    ],
)
def test_a_card_that_is_not_ours_is_refused(path: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        load_checkpoint(rewritten(path, **changes))


def test_a_checkpoint_of_another_network_is_refused_by_name(path: Path) -> None:
    with pytest.raises(CheckpointError, match="weights of mprnet, nafnet is needed"):
        load_checkpoint(path, network="nafnet")


def test_weights_that_are_not_the_cards_are_refused(path: Path) -> None:
    other = {**preset("mprnet", "demo"), "reduction": 4}
    with pytest.raises(CheckpointError, match="not those of mprnet"):
        load_checkpoint(rewritten(path, hyper_parameters=other)).build()
