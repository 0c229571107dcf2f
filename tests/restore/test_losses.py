"""The losses give the numbers that a sheet of paper gives."""

import numpy as np
import pytest
import torch

from twinlens.restore.losses import LOSSES, charbonnier, laplacian_residual, restoration_loss


def test_charbonnier_of_equal_images_is_epsilon_and_of_a_step_is_its_root() -> None:
    assert charbonnier(torch.zeros(1, 1, 4, 4)).item() == pytest.approx(1e-3)
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
    expected = (charbonnier(restored - target) + 0.05 * charbonnier(edges)).mean()
    torch.testing.assert_close(restoration_loss([restored], target), expected)
    plain = restoration_loss([restored], target, edge_weight=0.0)
    torch.testing.assert_close(plain, charbonnier(restored - target).mean())


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


def test_the_formula_is_the_norm_over_the_image_and_its_second_differences() -> None:
    restored = torch.zeros(1, 1, 7, 9, dtype=torch.float64)
    restored[0, 0, 3, 4] = 0.5  # second differences: -2 once, 0.5 four times
    target = torch.zeros_like(restored)
    expected = np.sqrt(0.25 + 1e-6) + 0.05 * np.sqrt(4.0 + 4 * 0.25 + 1e-6)
    found = restoration_loss([restored], target, loss="charbonnier-edge-formula")
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_the_named_losses_of_a_constant_difference_are_the_hand_computed_ones() -> None:
    target = torch.zeros(1, 1, 8, 8, dtype=torch.float64)
    restored = target + 0.3
    assert restoration_loss([restored], target, loss="l1").item() == pytest.approx(0.3)
    assert restoration_loss([restored], target, loss="charbonnier").item() == pytest.approx(np.sqrt(0.09 + 1e-6))
    # All light is in one of 8 x 5 complex numbers: 0.3 * 64 / 8, an eightieth of the real and imaginary parts.
    spectrum = 0.3 * 64 / 8 / 80
    assert restoration_loss([restored], target, loss="fft").item() == pytest.approx(0.3 + 0.1 * spectrum)


@pytest.mark.parametrize("shift_px", [0, 1])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_of_a_batch_is_the_mean_over_its_images(loss: str, shift_px: int) -> None:
    generator = torch.Generator().manual_seed(1)
    restored, target = torch.rand(2, 3, 2, 16, 12, generator=generator, dtype=torch.float64)
    weight = (torch.rand(3, 1, 16, 12, generator=generator) > 0.2).double()
    whole = restoration_loss([restored], target, weight=weight, loss=loss, shift_px=shift_px)
    each = [
        restoration_loss(
            [restored[i : i + 1]], target[i : i + 1], weight=weight[i : i + 1], loss=loss, shift_px=shift_px
        )
        for i in range(3)
    ]
    torch.testing.assert_close(whole, torch.stack(each).mean(), rtol=1e-12, atol=0)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_tolerant_loss_does_not_pull_a_true_image_towards_displaced_targets(loss: str) -> None:
    generator = torch.Generator().manual_seed(2)
    scene = torch.rand(2, 1, 20, 20, generator=generator, dtype=torch.float64)
    targets = torch.stack([scene[0].roll((1, -1), (1, 2)), scene[1].roll((0, 1), (1, 2))])

    def pull(shift_px: int) -> float:
        restored = scene.clone().requires_grad_()
        restoration_loss([restored], targets, loss=loss, shift_px=shift_px).backward()
        assert restored.grad is not None
        return float(restored.grad.abs().sum())

    assert pull(1) < 1e-6 * pull(0)


def test_images_of_bfloat16_are_compared_in_float32_and_float64_stays() -> None:
    target = torch.rand(1, 1, 64, 64)
    low = restoration_loss([target.to(torch.bfloat16)], target)
    assert low.dtype == torch.float32
    assert restoration_loss([target.double()], target.double()).dtype == torch.float64


@pytest.mark.parametrize("loss", LOSSES)
def test_mixed_precision_does_not_coarsen_the_loss(loss: str) -> None:
    restored, target = torch.rand(2, 1, 1, 16, 16, generator=torch.Generator().manual_seed(4))
    exact = restoration_loss([restored], target, loss=loss)
    with torch.autocast("cpu", torch.bfloat16):
        assert restoration_loss([restored], target, loss=loss).item() == exact.item()


def test_every_shift_is_judged_by_the_same_pixels() -> None:
    generator = torch.Generator().manual_seed(5)
    restored, target = torch.rand(2, 1, 1, 9, 9, generator=generator, dtype=torch.float64)
    restored.requires_grad_()
    weight = torch.ones(1, 1, 9, 9, dtype=torch.float64)
    weight[..., 4, 4] = 0.0
    restoration_loss([restored], target, weight=weight, loss="l1", shift_px=1).backward()
    assert restored.grad is not None
    pulling = torch.zeros(9, 9, dtype=torch.bool)
    pulling[1:-1, 1:-1] = True
    pulling[3:6, 3:6] = False
    assert torch.equal(restored.grad[0, 0] != 0, pulling)


@pytest.mark.parametrize("loss", LOSSES)
def test_where_no_shift_explains_more_the_loss_is_the_plain_one_of_the_inside(loss: str) -> None:
    target = torch.full((1, 1, 8, 8), 0.5, dtype=torch.float64)
    inside = target[..., 1:-1, 1:-1]
    tolerant = restoration_loss([target + 0.1], target, loss=loss, shift_px=1)
    assert tolerant.item() == restoration_loss([inside + 0.1], inside, loss=loss).item()


def test_an_unknown_loss_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no loss is named 'l2'; known are: charbonnier-edge"):
        restoration_loss([torch.zeros(1, 1, 8, 8)], torch.zeros(1, 1, 8, 8), loss="l2")


def test_an_image_smaller_than_its_shifts_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be shifted by 4 px"):
        restoration_loss([torch.zeros(1, 1, 8, 8)], torch.zeros(1, 1, 8, 8), shift_px=4)
