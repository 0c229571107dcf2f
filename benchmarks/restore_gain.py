"""Decibels a network gains per CPU-second on photographs it never saw, beside Wiener with the true PSF.

Photographs that come with scikit-image, grey, blurred by one aberrated PSF, with noise: 13 to train on, 1 to
validate, camera, coins, grass and moon (256x256) to test. One thread; seconds are the process' own. The steps
of each run are set so that it takes the seconds given.

    python benchmarks/restore_gain.py [--runs tiny=30 demo=150] [--plot gain.png]
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
import skimage
import torch
from matplotlib import pyplot as plt

from twinlens.calibrate.align import AlignedPair, Passport
from twinlens.capture.virtual.optics import Lens, point_spread
from twinlens.dataset import DatasetSettings, PairedDataset, SplitSettings, build_dataset
from twinlens.pixels import Kernel, Mono8
from twinlens.restore.baselines import best_wiener
from twinlens.restore.checkpoint import load_checkpoint
from twinlens.restore.metrics import psnr
from twinlens.restore.restorer import Restorer
from twinlens.restore.train import RECIPES, TrainSettings, kept_name, train

PHOTOGRAPHS = Path(skimage.__file__).parent / "data"
TRAIN = (
    "astronaut.png",
    "brick.png",
    "cell.png",
    "chelsea.png",
    "clock_motion.png",
    "coffee.png",
    "color.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "motorcycle_left.png",
    "motorcycle_right.png",
    "retina.jpg",
)
VALIDATE = ("rocket.jpg",)
TEST = ("camera.png", "coins.png", "grass.png", "moon.png")
SIDE_PX = 256
WAVES = {4: 0.10, 5: 0.09, 7: 0.09, 11: 0.07}
"""RMS of defocus, astigmatism, coma and spherical aberration by Noll index."""
KERNEL_PX = 17
LENS = Lens(wavelength_um=1.0, f_number=1.0, pixel_um=0.62)
"""Blurs the test photographs to 28.5, 24.7, 21.4 and 36.1 dB."""
NOISE = 0.01
POINTS = 8
BARS_DB = {"tiny": 3.5, "demo": 5.0}
TIMED_STEPS = 12
UNKNOWN = Passport(
    residual_px=0.0, ncc=1.0, gain=1.0, offset=0.0, kernel_sigma_px=1.0, overlap=1.0, saturated_fraction=0.0
)


@dataclass(frozen=True)
class Point:
    """Where a training stood."""

    cpu_s: float
    gain_db: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", nargs="+", default=["tiny=30", "demo=150"], metavar="RECIPE=SECONDS")
    parser.add_argument("--plot", type=Path, default=None)
    options = parser.parse_args()
    torch.set_num_threads(1)
    mpl.use("Agg")
    kernel = aberrated_psf()
    curves = {}
    with tempfile.TemporaryDirectory() as folder:
        dataset = photographs(Path(folder) / "photographs.h5", kernel)
        oracle_db = oracle_gain_db(dataset, kernel)
        for number, run in enumerate(options.runs):
            recipe, _, seconds = run.partition("=")
            curve = trained(dataset, RECIPES[recipe], float(seconds), out=Path(folder) / str(number))
            curves[run] = curve
            told = ", ".join(f"{point.cpu_s:.0f} s {point.gain_db:+.2f}" for point in curve)
            bar_db = BARS_DB.get(recipe, oracle_db)
            verdict = "held" if curve[-1].gain_db >= bar_db else "MISSED"
            print(f"{recipe}: {told} dB; bar {bar_db:+.2f} dB {verdict}; "
                  f"{'above' if curve[-1].gain_db > oracle_db else 'BELOW'} Wiener")  # fmt: skip
    if options.plot is not None:
        plot(curves, oracle_db, options.plot)


def aberrated_psf() -> Kernel:
    """(17, 17), the light in its middle."""
    whole = point_spread(WAVES, lens=LENS)
    margin = (whole.shape[0] - KERNEL_PX) // 2
    cut = whole[margin:-margin, margin:-margin]
    kernel: Kernel = cut / cut.sum()
    return kernel


def photographs(path: Path, kernel: Kernel) -> PairedDataset:
    """Every photograph a scene, in squares of 256 px."""
    splits = dict.fromkeys(TRAIN, "train") | dict.fromkeys(VALIDATE, "val") | dict.fromkeys(TEST, "test")
    settings = DatasetSettings(splits=SplitSettings(assignment=splits), find_duplicates=False)
    build_dataset(pairs(splits, kernel), path, settings=settings)
    return PairedDataset(path)


def pairs(splits: dict[str, str], kernel: Kernel) -> Iterator[AlignedPair]:
    number = 0
    for name, split in splits.items():
        grey = cv2.imread(str(PHOTOGRAPHS / name), cv2.IMREAD_GRAYSCALE)
        for target in squares(grey) if split != "test" else [grey[:SIDE_PX, :SIDE_PX]]:
            rng = np.random.default_rng(number)
            soft = cv2.filter2D(target.astype(np.float64), -1, kernel[::-1, ::-1], borderType=cv2.BORDER_REFLECT)
            soft += rng.normal(0, NOISE * 255, soft.shape)
            yield AlignedPair(
                input=np.clip(np.rint(soft), 0, 255).astype(np.uint8),
                target=np.ascontiguousarray(target),
                mask=np.ones(target.shape, np.bool_),
                bit_depth=8,
                scene=name,
                session_id="photographs",
                trigger_index=number,
                mirror_state="aberrated",
                skew_ns=0,
                exposure_us=1.0,
                gain_db=0.0,
                b_from_a=np.eye(3),
                passport=UNKNOWN,
            )
            number += 1


def squares(grey: Mono8) -> Iterator[Mono8]:
    """As many as fit beside each other from the top left."""
    for top in range(0, grey.shape[0] - SIDE_PX + 1, SIDE_PX):
        for left in range(0, grey.shape[1] - SIDE_PX + 1, SIDE_PX):
            yield grey[top : top + SIDE_PX, left : left + SIDE_PX]


def oracle_gain_db(dataset: PairedDataset, kernel: Kernel) -> float:
    """Mean gain of the best Wiener filter, which knows PSF and target."""
    gains = []
    for pair in dataset.split("test"):
        before = psnr(pair.input, pair.target, data_range=255)
        found = best_wiener(pair.input, pair.target, kernel, bit_depth=8)
        gains.append(found.psnr_db - before)
        print(f"{pair.scene}: input {before:.2f} dB, Wiener with the true PSF {gains[-1]:+.2f} dB")
    print(f"Wiener with the true PSF, mean: {np.mean(gains):+.2f} dB")
    return float(np.mean(gains))


def trained(dataset: PairedDataset, recipe: TrainSettings, seconds: float, *, out: Path) -> list[Point]:
    """The gain on the test photographs over the process seconds of a training that takes `seconds`."""
    timed = replace(recipe, steps=TIMED_STEPS, validate_every=TIMED_STEPS, report_every=TIMED_STEPS // 2)
    timed = replace(timed, validation_crops=1, validation_crop_px=32)
    ticks = [time.process_time() for _ in train(dataset, timed, out=out / "timed")]
    step_s = (ticks[1] - ticks[0]) / (TIMED_STEPS // 2)
    steps = int(0.94 * seconds / step_s)
    settings = replace(recipe, steps=steps, keep_every=max(1, steps // POINTS), validate_every=steps,
                       validation_crops=4, validation_crop_px=64)  # fmt: skip
    started = time.process_time()
    stood = {report.step: time.process_time() - started for report in train(dataset, settings, out=out / "run")}
    print(f"  {settings.network} {settings.preset}: {steps} steps in {stood[steps]:.1f} s")
    files = {
        step: out / "run" / kept_name(step) for step in range(settings.keep_every, steps + 1, settings.keep_every)
    }
    files[steps] = out / "run" / "last.safetensors"
    return [Point(stood[step], gain_db(dataset, path)) for step, path in files.items()]


def gain_db(dataset: PairedDataset, checkpoint: Path) -> float:
    restorer = Restorer.from_checkpoint(load_checkpoint(checkpoint))
    gains = [
        psnr(restorer(pair.input), pair.target, data_range=255) - psnr(pair.input, pair.target, data_range=255)
        for pair in dataset.split("test")
    ]
    return float(np.mean(gains))


def plot(curves: dict[str, list[Point]], oracle_db: float, path: Path) -> None:
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for run, curve in curves.items():
        axes.plot([0, *(p.cpu_s for p in curve)], [0, *(p.gain_db for p in curve)], marker="o", label=run)
    axes.axhline(oracle_db, color="0.4", linestyle="--", label="Wiener, true PSF")
    axes.set(xlabel="CPU time (s), one thread", ylabel="gain on unseen photographs (dB)")
    axes.legend()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
