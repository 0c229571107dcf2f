"""A checkpoint comes back as it was written, opens elsewhere, and anything else is refused in words."""

import dataclasses
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy
import torch

from twinlens.corrections import CameraCorrection
from twinlens.errors import CheckpointError, CorrectionError
from twinlens.restore.checkpoint import Checkpoint, CheckpointCard, load_checkpoint, write_checkpoint
from twinlens.restore.networks import build_network, preset
from twinlens.restore.restorer import Restorer
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


def corrected(checkpoint: Checkpoint) -> Checkpoint:
    rng = np.random.default_rng(3)
    exact = CameraCorrection(
        dark=rng.uniform(4, 8, (40, 56)).astype(np.float32),
        gain=rng.uniform(0.8, 1.2, (40, 56)).astype(np.float32),
        defects=rng.random((40, 56)) < 0.02,
        pedestal=6.2,
        bit_depth=8,
        gain_db=1.0,
        dark_frames=64,
        flat_frames=64,
    )
    return dataclasses.replace(checkpoint, correction=CameraCorrection.unpacked(exact.packed(), exact.facts()))


def test_the_cameras_correction_travels_with_the_weights(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "corrected.safetensors"
    write_checkpoint(path, corrected(checkpoint))
    loaded = load_checkpoint(path)
    truth = corrected(checkpoint).correction
    assert loaded.correction is not None
    assert truth is not None
    for name in ("dark", "gain", "defects"):
        np.testing.assert_array_equal(getattr(loaded.correction, name), getattr(truth, name))
    assert loaded.correction.facts() == truth.facts()
    assert set(loaded.weights) == set(checkpoint.weights)
    loaded.build()
    assert safetensors.numpy.load_file(path)["correction.dark"].dtype == np.uint16


def test_a_checkpoint_from_before_corrections_has_none(path: Path) -> None:
    assert load_checkpoint(rewritten(path, schema_version="1.0.0")).correction is None


def test_a_correction_that_lacks_a_part_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "corrected.safetensors"
    write_checkpoint(path, corrected(checkpoint))
    arrays, metadata = read_tensors(path)
    without_gain = {name: array for name, array in arrays.items() if name != "correction.gain"}
    without_facts = {"card": metadata["card"]}
    for spoiled in ((without_gain, metadata), (arrays, without_facts)):
        write_tensors(path, *spoiled)
        with pytest.raises(CheckpointError, match="misstates its camera's correction") as refused:
            load_checkpoint(path)
        assert refused.value.hint


def test_a_raw_frame_is_corrected_before_it_is_restored(checkpoint: Checkpoint) -> None:
    with_maps = corrected(checkpoint)
    assert with_maps.correction is not None
    restorer, plain = Restorer.from_checkpoint(with_maps), Restorer.from_checkpoint(checkpoint)
    frame = np.random.default_rng(4).integers(10, 240, (40, 56)).astype(np.uint8)
    expected = restorer(with_maps.correction.apply(frame, bit_depth=8))
    np.testing.assert_array_equal(restorer.restore_raw(frame), expected)
    assert not np.array_equal(restorer(frame), expected)
    np.testing.assert_array_equal(plain.restore_raw(frame), plain(frame))
    with pytest.raises(CorrectionError, match=r"48x40 px with 8 bit.*56x40 px"):
        restorer.restore_raw(np.zeros((40, 48), np.uint8))
