"""Local means are the means of windows, and a localised network is a local one."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from twinlens.restore.networks import NETWORKS, build_network, preset
from twinlens.restore.networks.pooling import Mean, sliding_mean


def test_a_sliding_mean_is_the_mean_of_the_window_around_each_pixel() -> None:
    features = torch.rand(2, 11, 20, 17)
    means = sliding_mean(features, (5, 7)).numpy()
    for image, found in zip(features.numpy(), means, strict=True):
        for channel, plane in zip(image, found, strict=True):
            inner = ndimage.uniform_filter(channel.astype(np.float64), (5, 7))[2:-2, 3:-3]
            np.testing.assert_allclose(plane[2:-2, 3:-3], inner, atol=1e-6)
            np.testing.assert_allclose(plane[0, 3:-3], inner[0], atol=1e-6)
            np.testing.assert_allclose(plane[2:-2, -1], inner[:, -1], atol=1e-6)


def test_a_large_float32_map_loses_no_digits() -> None:
    features = torch.full((1, 1, 700, 900), 1000.0) + torch.rand(1, 1, 700, 900)
    means = sliding_mean(features, (384, 384))
    window = features[0, 0, 350 - 192 : 350 + 192, 450 - 192 : 450 + 192]
    assert abs(float(means[0, 0, 350, 450]) - float(window.double().mean())) < 1e-3


def test_a_window_as_large_as_the_map_is_the_global_mean() -> None:
    mean, features = Mean(), torch.rand(1, 3, 6, 8)
    of_all = mean(features)
    mean.window_hw = (9, 8)
    assert torch.equal(mean(features), of_all)
    mean.window_hw = (9, 4)
    assert mean(features).shape == features.shape


@pytest.mark.parametrize("name", NETWORKS)
def test_a_localised_network_is_unchanged_on_its_crop_and_local_beyond(name: str) -> None:
    torch.manual_seed(2)
    hyper_parameters = preset(name, "tiny")
    if name == "mprnet":
        hyper_parameters["split"] = "none"  # else what changes is also which patch a pixel is in
    network = build_network(name, channels=1, hyper_parameters=hyper_parameters).double().eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.1 * torch.randn_like(weight))  # gates away from 0.5, scales away from 0
    crop = torch.rand(1, 1, 32, 32, dtype=torch.float64)
    frame = torch.rand(1, 1, 32, 1024, dtype=torch.float64)
    changed = frame.clone()
    changed[..., 1008:] = 0.0
    with torch.inference_mode():
        before, frame_before = network(crop)[0], network(frame)[0]
        far_before = (network(changed)[0] - frame_before)[..., :16].abs().max()
        network.localise((32, 32))
        torch.testing.assert_close(network(crop)[0], before, rtol=0, atol=1e-12)
        frame_after = network(frame)[0]
        far_after = (network(changed)[0] - frame_after)[..., :16].abs().max()
    assert (frame_after - frame_before).abs().max() > 1e-9
    assert far_before > 1e-9
    assert far_after < 1e-12
