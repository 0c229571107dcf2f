"""MPRNet is the published network: same keys, same count, same numbers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from twinlens.errors import UnknownNetworkError
from twinlens.restore.networks import NETWORKS, build_network, find_network, preset
from twinlens.restore.networks.network import Network

GOLDEN = Path(__file__).parent / "golden"
PUBLISHED = json.loads((GOLDEN / "mprnet_state_dicts.json").read_text())
DEMO = preset("mprnet", "demo")


def published(name: str, *, channels: int = 3) -> Network:
    return build_network("mprnet", channels=channels, hyper_parameters=preset("mprnet", name))


@pytest.fixture(scope="module")
def reference() -> tuple[Network, Any]:
    with np.load(GOLDEN / "mprnet_tiny.npz") as file:
        arrays = {name: file[name] for name in file.files}
    network = published("demo").double().eval()
    weights = {name: torch.from_numpy(a).double() for name, a in arrays.items() if name.startswith("weights/")}
    network.load_state_dict({name.removeprefix("weights/"): tensor for name, tensor in weights.items()})
    return network, arrays


def test_every_stage_agrees_with_the_reference_network(reference: tuple[Network, Any]) -> None:
    network, arrays = reference
    with torch.inference_mode():
        stages = network(torch.from_numpy(arrays["input"]).double())
    for number, restored in enumerate(stages, 1):
        expected = arrays[f"output{number}_float64"]
        largest_correction = np.abs(expected - arrays["input"]).max()
        assert np.abs(restored.numpy() - expected).max() < 1e-11 * largest_correction


def test_a_second_slope_would_not_go_unnoticed(reference: tuple[Network, Any]) -> None:
    network, arrays = reference
    slopes = [name for name, tensor in network.state_dict().items() if tensor.ndim == 1]
    values = {arrays[f"weights/{name}"].item() for name in slopes}
    assert len(slopes) == len(PUBLISHED["derain"]["aliases"]) + 1 - 3 * 6
    assert len(values) == 1
    assert sum(tensor.ndim == 1 for tensor in network.parameters()) == 1


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_size_has_the_published_keys_shapes_and_parameters(name: str) -> None:
    with torch.device("meta"):
        network = published(name)
    shapes = {key: list(tensor.shape) for key, tensor in network.state_dict().items()}
    assert shapes == PUBLISHED[name]["tensors"]
    assert sum(tensor.numel() for tensor in network.parameters()) == PUBLISHED[name]["parameters"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_shared_slope_appears_under_the_published_aliases(name: str) -> None:
    network = published(name)
    tensors = network.state_dict()
    for alias, original in PUBLISHED[name]["aliases"].items():
        assert tensors[alias].data_ptr() == tensors[original].data_ptr()


@pytest.mark.parametrize("network_name", NETWORKS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_network_keeps_its_size_promise(network_name: str, channels: int) -> None:
    smallest = preset(network_name, "tiny")
    network = build_network(network_name, channels=channels, hyper_parameters=smallest).eval()
    multiple = network.size_multiple
    images = torch.rand(2, channels, 5 * multiple, 6 * multiple)
    with torch.inference_mode():
        stages = network(images)
        assert [stage.shape for stage in stages] == [images.shape] * len(stages)
        with pytest.raises(ValueError, match=f"multiples of {multiple} are needed"):
            network(torch.rand(1, channels, 5 * multiple, 6 * multiple + multiple // 2))


@pytest.mark.parametrize(("built_for", "given"), [(1, 3), (3, 1)])
def test_wrong_channels_are_refused_and_not_broadcast(built_for: int, given: int) -> None:
    network = published("tiny", channels=built_for)
    with pytest.raises(ValueError, match=rf"built for {built_for} channel"):
        network(torch.rand(1, given, 16, 16))


def test_a_quietened_network_starts_near_the_identity() -> None:
    torch.manual_seed(0)
    network = published("tiny", channels=1)
    images = torch.rand(1, 1, 32, 32)
    loud = (network(images)[0] - images).abs().max()
    network.quieten(0.1)
    for restored in network(images):
        assert (restored - images).abs().max() < 0.3 * loud


def test_each_image_of_a_batch_is_restored_as_if_alone() -> None:
    torch.manual_seed(0)
    network = published("tiny", channels=1).double().eval()
    images = torch.rand(3, 1, 16, 24, dtype=torch.float64)
    with torch.inference_mode():
        together = network(images)
        alone = [network(image[None]) for image in images]
    for stage, stage_images in enumerate(together):
        for index, image in enumerate(stage_images):
            torch.testing.assert_close(image, alone[index][stage][0], rtol=0, atol=1e-12)


def test_unknown_names_say_what_is_known() -> None:
    with pytest.raises(UnknownNetworkError) as unknown:
        find_network("unet")
    assert "mprnet" in unknown.value.hint
    with pytest.raises(UnknownNetworkError) as unknown:
        preset("mprnet", "huge")
    assert "demo" in unknown.value.hint
    with pytest.raises(UnknownNetworkError, match="cannot be built"):
        build_network("mprnet", channels=1, hyper_parameters={"depth": 3})
