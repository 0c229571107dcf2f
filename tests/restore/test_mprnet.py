"""MPRNet is the published network: same keys, same count, same numbers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from plain_mprnet import PlainMPRNet
from torch import Tensor

from twinlens.errors import CheckpointError, UnknownNetworkError
from twinlens.restore.networks import NETWORKS, build_network, find_network, preset
from twinlens.restore.networks.mprnet import MPRNet
from twinlens.restore.networks.network import Network
from twinlens.restore.networks.pooling import Mean

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


def published_weights(name: str) -> dict[str, Tensor]:
    """Random weights under every published key, the shared slope under all of its names."""
    torch.manual_seed(3)
    weights = {key: torch.randn(shape) for key, shape in PUBLISHED[name]["tensors"].items()}
    return weights | {alias: weights[original] for alias, original in PUBLISHED[name]["aliases"].items()}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_state_dict_comes_in_and_goes_out_as_it_was(name: str) -> None:
    weights = published_weights(name)
    network = MPRNet.from_official_state_dict({f"module.{key}": tensor for key, tensor in weights.items()})
    assert network.hyper_parameters == {**preset("mprnet", name), "reduction": 4, "split": "patches"}
    assert network.channels == 3
    assert sum(tensor.numel() for tensor in network.parameters()) == PUBLISHED[name]["parameters"]
    given_back = network.to_official_state_dict()
    assert given_back.keys() == weights.keys()
    assert all(torch.equal(given_back[key], tensor) for key, tensor in weights.items())


def test_copies_of_the_shared_slope_that_differ_are_refused() -> None:
    weights = published("tiny").state_dict()
    alias = "stage3_orsnet.orb2.body.0.body.1.weight"
    with pytest.raises(CheckpointError, match=f"{alias} differs from"):
        MPRNet.from_official_state_dict({**weights, alias: torch.full((1,), 0.5)})


def test_a_state_dict_of_something_else_is_refused_by_what_it_lacks() -> None:
    weights = dict(published("tiny").state_dict())
    with pytest.raises(CheckpointError, match="has no convolution shallow_feat1"):
        MPRNet.from_official_state_dict({"layer.weight": torch.zeros(3, 3)})
    sam = weights.pop("sam12.conv3.weight")
    with pytest.raises(CheckpointError, match=r"lacks sam12.conv3.weight \(8, 3, 1, 1\)"):
        MPRNet.from_official_state_dict(weights)
    with pytest.raises(CheckpointError, match=r"holds extra"):
        MPRNet.from_official_state_dict({**weights, "sam12.conv3.weight": sam, "extra": sam})
    with pytest.raises(CheckpointError, match=r"takes 3 channel\(s\) and gives 1"):
        MPRNet.from_official_state_dict({**weights, "tail.weight": weights["tail.weight"][:1]})


@pytest.mark.parametrize("channels", [1, 3])
def test_the_fast_form_equals_the_plain_form(channels: int) -> None:
    torch.manual_seed(1)
    plain = PlainMPRNet(channels, 12, 4, 8, 2).double()
    with torch.no_grad():
        for weight in plain.parameters():
            weight.mul_(2.0)  # default weights leave every gate near 0.5
    fast = MPRNet.from_official_state_dict(plain.state_dict()).double().placed(torch.device("cpu"))
    images = torch.rand(2, channels, 40, 24, dtype=torch.float64)
    for ours, theirs in zip(fast(images), plain(images), strict=True):
        assert (ours - theirs).abs().max() < 1e-11 * (theirs - images).abs().max()


def test_gradients_of_the_fast_form_equal_those_of_the_plain_form() -> None:
    torch.manual_seed(1)
    plain = PlainMPRNet(1, 8, 4, 4, 1).double()
    fast, spared = (MPRNet.from_official_state_dict(plain.state_dict()).double() for _ in range(2))
    spared.recompute_activations()
    images = torch.rand(1, 1, 16, 24, dtype=torch.float64)
    for network in (plain, fast, spared):
        torch.stack([stage.square().sum() for stage in network(images)]).sum().backward()
    wanted = dict(plain.named_parameters())
    for network in (fast, spared):
        for name, weight in network.named_parameters():
            torch.testing.assert_close(weight.grad, wanted[name].grad, rtol=1e-11, atol=1e-13)


def test_weights_of_bfloat16_take_and_give_float32_near_the_float32_result() -> None:
    torch.manual_seed(0)
    network = published("tiny", channels=1).eval()
    images = torch.rand(1, 1, 32, 48)
    with torch.inference_mode():
        exact = network(images)[0]
        low = network.to(torch.bfloat16)(images)[0]
    assert low.dtype == torch.float32
    assert 0 < (low - exact).abs().max() < 0.05 * (exact - images).abs().max()


def test_without_the_split_no_line_between_patches_is_left() -> None:
    """With its gates shut, a network sees its neighbourhood alone, wherever the frame begins."""
    torch.manual_seed(0)
    images = torch.rand(1, 1, 64, 256, dtype=torch.float64)

    def moved_difference(split: str) -> float:
        torch.manual_seed(5)
        network = build_network(
            "mprnet", channels=1, hyper_parameters={**preset("mprnet", "tiny"), "split": split}
        )
        network.double().eval()
        for module in network.modules():
            if isinstance(module, Mean):
                module.register_forward_hook(lambda _module, _inputs, means: torch.zeros_like(means))
        with torch.inference_mode():
            whole, part = network(images)[0], network(images[..., 32:])[0]
        # The frame's ends are out of sight here; the part's split line lies at 32 + 112.
        return float((whole[..., 136:152] - part[..., 104:120]).abs().max())

    assert moved_difference("none") < 1e-12
    assert moved_difference("patches") > 1e-6
    with pytest.raises(UnknownNetworkError, match="no split 'halves'"):
        MPRNet(1, **{**preset("mprnet", "tiny"), "split": "halves"})


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
