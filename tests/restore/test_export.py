"""An ONNX file gives what torch gives, at sizes that it was neither exported nor checked at.

Exported programs are tested with the verb that writes them, because every export takes seconds.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from small_checkpoints import card_of
from torch import Tensor

from twinlens.errors import RestoreError
from twinlens.restore import export
from twinlens.restore.checkpoint import Checkpoint
from twinlens.restore.export import CARD, TOLERANCE, checked_difference, export_onnx, export_program
from twinlens.restore.networks import NETWORKS, build_network, preset

UNSEEN = ((1, 4, 9), (2, 7, 3))
"""Batch, and multiples of the network's size, of images at which files are compared with torch."""


def untrained(name: str) -> Checkpoint:
    torch.manual_seed(2)
    network = build_network(name, channels=1, hyper_parameters=preset(name, "tiny"))
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.05 * torch.randn_like(weight))  # NAFNet's first scales are 0 and would hide its blocks
    card = card_of(network, bit_depth=10, dataset_hash="cd" * 32, step=3, metrics={"validation_psnr_db": 30.5})
    return Checkpoint.of(network, card)


def images_of(checkpoint: Checkpoint) -> list[Tensor]:
    multiple = NETWORKS[checkpoint.card.network].size_multiple
    return [torch.rand(batch, 1, rows * multiple, columns * multiple) for batch, rows, columns in UNSEEN]


def same_card(text: str, checkpoint: Checkpoint) -> bool:
    found = json.loads(text)
    multiple = found.pop("size_multiple")
    return bool(found == checkpoint.card.as_dict() and multiple == NETWORKS[checkpoint.card.network].size_multiple)


@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_at_sizes_unseen_at_export_equals_torch(name: str, tmp_path: Path) -> None:
    runtime: Any = pytest.importorskip("onnxruntime")
    checkpoint, path = untrained(name), tmp_path / "model.onnx"
    told = export_onnx(checkpoint, path)
    assert 0 < told <= TOLERANCE
    assert [found.name for found in tmp_path.iterdir()] == ["model.onnx"]
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert same_card(session.get_modelmeta().custom_metadata_map[CARD], checkpoint)
    network = checkpoint.build()
    for images in images_of(checkpoint):
        found = session.run(["restored"], {"images": images.numpy()})[0]
        with torch.inference_mode():
            expected = network(images)[0]
        torch.testing.assert_close(torch.from_numpy(found), expected, rtol=0, atol=1e-4)
        assert (expected - images).abs().max() > 100 * 1e-4


def test_a_file_that_does_not_agree_with_torch_is_not_handed_over() -> None:
    network = untrained("nafnet").build()
    seen = []

    def almost(images: Tensor) -> Tensor:
        seen.append(tuple(images.shape))
        restored = network(images)[0]
        return restored if len(seen) == 1 else restored + 2 * TOLERANCE

    with pytest.raises(RestoreError, match=r"differs by 0\.0002 from torch") as refused:
        checked_difference(network, almost)
    assert refused.value.hint
    assert len(set(seen)) == 2
    with pytest.raises(RestoreError, match="differs by nan"):
        checked_difference(network, lambda images: network(images)[0] * torch.nan)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing(package: str) -> Any:
        raise ModuleNotFoundError(package)

    monkeypatch.setattr(export, "import_module", missing)
    with pytest.raises(RestoreError, match="package onnxruntime is not installed") as refused:
        export_onnx(untrained("nafnet"), tmp_path / "model.onnx")
    assert "twinlens[onnx]" in refused.value.hint
    assert not list(tmp_path.iterdir())


def test_weights_of_another_network_are_not_exported(tmp_path: Path) -> None:
    checkpoint = untrained("nafnet")
    wrong = dataclasses.replace(checkpoint, card=dataclasses.replace(checkpoint.card, channels=3))
    with pytest.raises(RestoreError, match="not those of nafnet"):
        export_program(wrong, tmp_path / "model.pt2")
    assert not list(tmp_path.iterdir())
