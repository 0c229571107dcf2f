"""NAFNet has the published size and work, and its parts compute what the paper writes down."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from twinlens.errors import UnknownNetworkError
from twinlens.restore.networks import build_network, preset
from twinlens.restore.networks.nafnet import Block, ChannelNorm, NAFNet


def nafnet(name: str, *, channels: int = 3) -> NAFNet:
    network = build_network("nafnet", channels=channels, hyper_parameters=preset("nafnet", name))
    assert isinstance(network, NAFNet)
    return network


def shaken(network: torch.nn.Module) -> torch.nn.Module:
    """In float64, with no scale left at zero, which would hide what it scales."""
    torch.manual_seed(7)
    with torch.no_grad():
        for weight in network.double().parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    return network.eval()


@pytest.mark.parametrize(
    ("name", "channels", "millions", "giga_products"),
    [("gopro32", 3, 17.11, 15.96), ("gopro64", 3, 67.89, 63.05), ("demo", 1, 0.319, None)],
)
def test_a_published_size_has_the_published_parameters_and_products(
    name: str, channels: int, millions: float, giga_products: float | None
) -> None:
    with torch.device("meta"):
        network = nafnet(name, channels=channels)
        images = torch.empty(1, channels, 256, 256)
    assert sum(weight.numel() for weight in network.parameters()) / 1e6 == pytest.approx(millions, rel=2e-3)
    if giga_products:
        with FlopCounterMode(display=False) as counter:
            network(images)
        assert counter.get_total_flops() / 2e9 == pytest.approx(giga_products, rel=0.01)


def by_hand(block: Block, features: Tensor) -> np.ndarray:
    """One image (c, h, w) through a block, in numpy and pixel by pixel where the paper has a formula."""
    named = {name: weight.detach().numpy() for name, weight in block.named_parameters()}

    def normal(maps: np.ndarray, name: str) -> np.ndarray:
        centred = maps - maps.mean(0)
        scaled = centred / np.sqrt((centred**2).mean(0) + 1e-6)
        return scaled * named[f"{name}.weight"][:, None, None] + named[f"{name}.bias"][:, None, None]

    def mixed(maps: np.ndarray, name: str) -> np.ndarray:
        summed = np.einsum("oi,ihw->ohw", named[f"{name}.weight"][:, :, 0, 0], maps)
        return summed + named[f"{name}.bias"][:, None, None]

    def product(maps: np.ndarray) -> np.ndarray:
        return maps[: len(maps) // 2] * maps[len(maps) // 2 :]

    maps = features.numpy()
    wide = np.pad(mixed(normal(maps, "norm1"), "conv1"), ((0, 0), (1, 1), (1, 1)))
    kernels, height, width = named["conv2.weight"][:, 0], *maps.shape[1:]
    filtered = named["conv2.bias"][:, None, None] + sum(
        kernels[:, dy, dx, None, None] * wide[:, dy : dy + height, dx : dx + width]
        for dy in range(3)
        for dx in range(3)
    )
    filtered = product(filtered)
    filtered = filtered * mixed(filtered.mean((1, 2), keepdims=True), "sca.1")
    maps = maps + named["beta"][0] * mixed(filtered, "conv3")
    return maps + named["gamma"][0] * mixed(product(mixed(normal(maps, "norm2"), "conv4")), "conv5")


def test_a_block_computes_the_papers_formulas() -> None:
    block = shaken(Block(4))
    assert isinstance(block, Block)
    features = torch.rand(2, 4, 5, 6, dtype=torch.float64)
    with torch.inference_mode():
        found = block(features)
    for image, expected in zip(found.numpy(), features, strict=True):
        np.testing.assert_allclose(image, by_hand(block, expected), rtol=1e-12, atol=1e-12)


def test_norms_see_one_pixel_at_a_time() -> None:
    norm, features = ChannelNorm(8), torch.rand(1, 8, 3, 3)
    changed = features.clone()
    changed[..., 1, 1] = 5.0 * changed[..., 1, 1] - 1.0  # an affine change is what a norm takes out
    torch.testing.assert_close(norm(changed), norm(features), rtol=0, atol=1e-4)


def test_an_untrained_quiet_network_is_near_the_identity_however_deep() -> None:
    torch.manual_seed(0)
    network, images = nafnet("tiny", channels=1), torch.rand(1, 1, 32, 32)
    loud = network(images)[0] - images
    network.quieten(0.1)
    torch.testing.assert_close(network(images)[0] - images, 0.1 * loud, rtol=0, atol=1e-6)
    deeper = build_network(
        "nafnet", channels=1, hyper_parameters={**preset("nafnet", "tiny"), "encoder": "3,3", "middle": 4}
    )
    deeper.load_state_dict(network.state_dict(), strict=False)
    assert torch.equal(deeper(images)[0], network(images)[0])


def test_each_image_of_a_batch_is_restored_as_if_alone() -> None:
    network = shaken(nafnet("tiny", channels=1))
    images = torch.rand(3, 1, 16, 32, dtype=torch.float64)
    with torch.inference_mode():
        together = network(images)[0]
        for index, image in enumerate(images):
            torch.testing.assert_close(together[index], network(image[None])[0][0], rtol=0, atol=1e-12)


def test_weights_of_bfloat16_take_and_give_float32_near_the_float32_result() -> None:
    network = shaken(nafnet("tiny", channels=1)).float()
    images = torch.rand(1, 1, 32, 48)
    with torch.inference_mode():
        exact = network(images)[0]
        low = network.to(torch.bfloat16)(images)[0]
    assert low.dtype == torch.float32
    assert 0 < (low - exact).abs().max() < 0.1 * (exact - images).abs().max()


def test_computing_blocks_again_changes_no_gradient() -> None:
    network = nafnet("tiny", channels=1)
    shaken(network)
    images = torch.rand(1, 1, 16, 16, dtype=torch.float64)

    def gradients() -> list[Tensor]:
        return list(torch.autograd.grad(network(images)[0].square().sum(), list(network.parameters())))

    plain = gradients()
    network.recompute_activations()
    for found, expected in zip(gradients(), plain, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("changes", [{"encoder": "1,x"}, {"encoder": "1,1,1"}, {"decoder": "1,1,1,1,1"}])
def test_levels_that_are_none_are_refused(changes: dict[str, str]) -> None:
    with pytest.raises(UnknownNetworkError, match="nafnet has") as refused:
        build_network("nafnet", channels=1, hyper_parameters={**preset("nafnet", "tiny"), **changes})
    assert refused.value.hint
