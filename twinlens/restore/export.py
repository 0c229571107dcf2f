"""Trained networks as files that run without twinlens: ONNX, and torch's own exported programs.

Only the finest image is given. Never TorchScript: a traced MPRNet is silently wrong at sizes it was not traced at.
"""

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from twinlens.errors import RestoreError
from twinlens.restore.checkpoint import Checkpoint
from twinlens.restore.networks.network import Network
from twinlens.storage import sealed

CARD = "twinlens.card"
"""Under this name the files carry the checkpoint's card and `size_multiple`, as JSON."""
TOLERANCE = 1e-4
"""Largest difference from torch in float32, of the [0, 1] range; a 12-bit step is 2.4e-4."""


def export_onnx(checkpoint: Checkpoint, path: Path) -> float:
    """Write an ONNX file for batches of any size, heights and widths being multiples of the network's.

    `images` (batch, c, height, width) float32 in [0, 1] give `restored`, which is not clipped. The file appears
    only after onnxruntime has run it at two sizes unseen at export.

    Returns:
        The largest difference from torch that was seen, at most `TOLERANCE`.

    Raises:
        RestoreError: a package of the extra `onnx` is missing, or the file does not give what torch gives.
    """
    runtime: Any = _required("onnxruntime")
    _required("onnxscript")
    network = checkpoint.build().float()
    program, dynamic_shapes = _traced(network)
    with _quiet():
        onnx: Any = torch.onnx.export(
            program,
            dynamo=True,
            dynamic_shapes=dynamic_shapes,
            input_names=["images"],
            output_names=["restored"],
            verbose=False,
        )
    onnx.model.metadata_props[CARD] = _card(checkpoint, network)
    with sealed(path) as part:
        onnx.save(part)
        session = runtime.InferenceSession(str(part), providers=["CPUExecutionProvider"])

        def run(images: Tensor) -> Tensor:
            return torch.from_numpy(session.run(None, {"images": images.numpy()})[0])

        return checked_difference(network, run)


def export_program(checkpoint: Checkpoint, path: Path) -> float:
    """Write a file for `torch.export.load`, with the promises of `export_onnx` for sides of two multiples or more.

    Returns:
        The largest difference from the network itself that was seen, at most `TOLERANCE`.

    Raises:
        RestoreError: the file does not give what the network gives.
    """
    network = checkpoint.build().float()
    program, _ = _traced(network)
    with sealed(path) as part:
        with part.open("wb") as file:
            torch.export.save(program, file, extra_files={CARD: _card(checkpoint, network)})
        with part.open("rb") as file:
            loaded = torch.export.load(file).module()
        return checked_difference(network, loaded)


def checked_difference(network: Network, run: Callable[[Tensor], Tensor]) -> float:
    """The largest difference of what `run` restores from what the network does, at two sizes.

    Raises:
        RestoreError: it is above `TOLERANCE`.
    """
    multiple, largest = network.size_multiple, 0.0
    # Neither a size nor a batch that `_traced` used; one image higher than wide, one wider than high.
    for batch, rows, columns in ((1, 5, 3), (3, 2, 7)):
        shape = (batch, network.channels, rows * multiple, columns * multiple)
        images = torch.rand(shape, generator=torch.Generator().manual_seed(batch))
        with torch.inference_mode():
            difference = float((run(images) - network(images)[0]).abs().max())
        if not difference <= TOLERANCE:
            raise RestoreError(
                f"the exported network differs by {difference:.2g} from torch on images of {shape}; "
                f"at most {TOLERANCE:g} is allowed",
                hint="nothing was written; export with the versions in constraints.txt",
            )
        largest = max(largest, difference)
    return largest


def _traced(network: Network) -> tuple[torch.export.ExportedProgram, dict[str, Any]]:
    """The network's operations for any size, and the names of what may vary."""
    multiple = network.size_multiple
    dynamic_shapes = {
        "images": {
            0: torch.export.Dim("batch"),
            2: multiple * torch.export.Dim(f"height_by_{multiple}"),
            3: multiple * torch.export.Dim(f"width_by_{multiple}"),
        }
    }
    # Sides of one multiple, or one image alone, would be taken for constants.
    example = torch.rand(2, network.channels, 4 * multiple, 6 * multiple)
    return torch.export.export(_Finest(network), (example,), dynamic_shapes=dynamic_shapes), dynamic_shapes


class _Finest(nn.Module):
    """A network that gives its result alone."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, c, h, w)."""
        return self.network(images)[0]


def _card(checkpoint: Checkpoint, network: Network) -> str:
    return json.dumps({**checkpoint.card.as_dict(), "size_multiple": network.size_multiple}, allow_nan=False)


def _required(package: str) -> Any:
    try:
        return import_module(package)
    except ModuleNotFoundError as cause:
        raise RestoreError(
            f"the package {package} is not installed", hint="pip install 'twinlens[onnx]'"
        ) from cause


@contextmanager
def _quiet() -> Iterator[None]:
    """Without torch.onnx's remarks on torchvision, which is not needed, and on torch's own old names."""
    speaker = logging.getLogger("torch.onnx")
    level = speaker.level
    speaker.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
            yield
    finally:
        speaker.setLevel(level)
