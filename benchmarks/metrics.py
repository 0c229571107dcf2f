"""What a score of one frame costs by each protocol, beside scikit-image in the same run where it has the protocol.

Both take turns; process time, so that OpenCV's threads count as much as one. Also re-alignment and the classical
methods, on the same frame.

    python benchmarks/metrics.py [--rounds 3] [--size 2592x2048]
"""

import argparse
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from twinlens.restore.baselines import wiener
from twinlens.restore.classical.likelihood import likeliest_noise
from twinlens.restore.classical.richardson_lucy import richardson_lucy
from twinlens.restore.classical.total_variation import total_variation
from twinlens.restore.metrics import PROTOCOLS, psnr, ssim
from twinlens.restore.realign import REALIGNMENTS, realign

GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
THEIRS = {"wang2003": GAUSSIAN, "skimage": {}}
"""Options of scikit-image that are the protocol."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", default="2592x2048")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    target = scene(height, width)
    picture = degraded(target)
    print(f"{width}x{height}, process seconds, median of {options.rounds}")
    for channels in (1, 3):
        pair = (picture, target) if channels == 3 else (picture[..., 0].copy(), target[..., 0].copy())
        for name, protocol in PROTOCOLS.items():
            if channels in protocol.channels:
                time_protocol(name, *pair, rounds=options.rounds)
    time_others(picture[..., 0].copy(), target[..., 0].copy())


def scene(height: int, width: int) -> NDArray[np.uint8]:
    """RGB structure at several scales."""
    rng = np.random.default_rng(0)
    total = np.zeros((height, width, 3))
    for cells in (6, 24, 96):
        total += cv2.resize(rng.normal(0, 30, (cells, cells, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(total + 128, 0, 255).astype(np.uint8)


def degraded(target: NDArray[np.uint8]) -> NDArray[np.uint8]:
    soft = cv2.GaussianBlur(target.astype(np.float32), (0, 0), 1.5)
    noise = np.random.default_rng(1).normal(0, 2.5, target.shape)
    return np.clip(soft + noise, 0, 255).astype(np.uint8)


def time_protocol(name: str, picture: NDArray[np.uint8], target: NDArray[np.uint8], *, rounds: int) -> None:
    kind = "RGB " if picture.ndim == 3 else "mono"

    def ours() -> float:
        psnr(picture, target, data_range=255.0, protocol=name)
        return ssim(picture, target, data_range=255.0, protocol=name)

    def theirs() -> float:
        axis = 2 if picture.ndim == 3 else None
        return float(structural_similarity(target, picture, data_range=255.0, channel_axis=axis, **THEIRS[name]))

    if name not in THEIRS:
        seconds, score = timed(ours, rounds)
        print(f"{kind} {name:12}  {statistics.median(seconds):6.2f} s   SSIM {score:.6f}")
        return
    runs = [(timed(ours, 1), timed(theirs, 1)) for _ in range(rounds)]
    mine = statistics.median(run[0][0][0] for run in runs)
    ratio = statistics.median(run[0][0][0] / run[1][0][0] for run in runs)
    difference = abs(runs[0][0][1] - runs[0][1][1])
    print(
        f"{kind} {name:12}  {mine:6.2f} s   SSIM {runs[0][0][1]:.6f}, "
        f"{ratio:.3f} of scikit-image's time, differs by {difference:.1e}"
    )


def time_others(picture: NDArray[np.uint8], target: NDArray[np.uint8]) -> None:
    mask = np.ones(target.shape, np.bool_)
    kernel = cv2.getGaussianKernel(15, 1.5) @ cv2.getGaussianKernel(15, 1.5).T
    work: dict[str, Callable[[], object]] = {
        f"re-align by {method}": lambda method=method: realign(
            picture, target, mask, method=method, data_range=255.0
        )
        for method in REALIGNMENTS
    }
    work["likeliest noise"] = lambda: likeliest_noise(picture, kernel)
    work["Wiener"] = lambda: wiener(picture, kernel, 0.01, bit_depth=8)
    work["Richardson-Lucy, 30 steps"] = lambda: richardson_lucy(picture, kernel, bit_depth=8)
    work["total variation, 30 steps"] = lambda: total_variation(picture, kernel, 1.5e-3, bit_depth=8)
    for name, once in work.items():
        (seconds,), _ = timed(once, 1)
        print(f"mono {name:26}  {seconds:6.2f} s")


def timed(once: Callable[[], object], rounds: int) -> tuple[list[float], object]:
    seconds = []
    for _ in range(rounds):
        began = time.process_time()
        found = once()
        seconds.append(time.process_time() - began)
    return seconds, found


if __name__ == "__main__":
    main()
