"""The losses give the numbers that a sheet of paper gives."""

import numpy as np
import pytest
import torch

from twinlens.restore.losses import EPSILON, charbonnier, laplacian_residual, restoration_loss


def test_charbonnier_of_equal_images_is_epsilon_and_of_a_step_is_its_root() -> None:
    assert charbonnier(torch.zeros(1, 1, 4, 4)).item() == pytest.approx(EPSILON)
    assert charbonnier(torch.full((1, 2, 3, 3), 0.3)).item() == pytest.approx(np.sqrt(0.09 + 1e-6))


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_a_flat_image_has_no_edges(channels: int) -> None:
    # In the inside; at the border the zeros put between pixels are repeated outwards instead of alternating.
    residual = laplacian_residual(torch.full((1, channels, 16, 16), 0.7, dtype=torch.float64))
    assert residual[..., 3:-3, 3:-3].abs().max().item() < 1e-12


def test_the_residual_of_one_bright_pixel_is_the_hand_computed_one() -> None:
    image = torch.zeros(1, 1, 17, 17, dtype=torch.float64)
    image[0, 0, 8, 8] = 1.0
    row = np.array([0.05, 0.25, 0.4, 0.25, 0.05])
    coarse = np.zeros(17)  # the blurred pixel on even places only, doubled per axis
    coarse[6:11:2] = 2 * row[::2]
    expanded = np.convolve(coarse, row, mode="same")
    expected = -np.outer(expanded, expanded)
    expected[8, 8] += 1.0
    np.testing.assert_allclose(laplacian_residual(image)[0, 0].numpy(), expected, atol=1e-15)
    assert laplacian_residual(image)[0, 0, 8, 8].item() == pytest.approx(1 - 0.33**2 * 1.0, abs=0.02)


def test_the_loss_is_summed_over_the_stages() -> None:
    target = torch.rand(1, 1, 8, 8)
    one = restoration_loss([target + 0.1], target)
    assert restoration_loss([target + 0.1] * 3, target).item() == pytest.approx(3 * one.item())


def test_the_edge_loss_sees_the_difference_of_both_residuals() -> None:
    generator = torch.Generator().manual_seed(3)
    restored, target = torch.rand(2, 2, 3, 24, 24, generator=generator, dtype=torch.float64)
    edges = laplacian_residual(restored) - laplacian_residual(target)
    expected = charbonnier(restored - target) + 0.05 * charbonnier(edges)
    torch.testing.assert_close(restoration_loss([restored], target), expected)
    plain = restoration_loss([restored], target, edge_weight=0.0)
    torch.testing.assert_close(plain, charbonnier(restored - target))


def test_a_pixel_without_weight_pulls_at_nothing() -> None:
    restored = torch.rand(1, 1, 16, 16, requires_grad=True)
    weight = torch.ones(1, 1, 16, 16)
    weight[..., 5, 6] = 0.0
    restoration_loss([restored], torch.zeros(1, 1, 16, 16), weight=weight).backward()
    assert restored.grad is not None
    assert restored.grad[0, 0, 5, 6].item() == 0.0
    assert (restored.grad != 0).sum().item() == 255


def test_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        restoration_loss([torch.zeros(1, 3, 8, 8)], torch.zeros(1, 1, 8, 8))
