"""MPRNet as the package runs it against MPRNet written down plainly: time, products counted, and memory.

Both have the same weights and run in turns. On a CPU: one thread, process time. With a CUDA GPU, inference and
training steps are timed there too.

    python benchmarks/restore_speed.py [--rounds 5] [--sides 128 256] [--device cpu|cuda]
"""

import argparse
import copy
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from twinlens.restore.footprint import live_peak_bytes
from twinlens.restore.losses import restoration_loss
from twinlens.restore.networks.mprnet import MPRNet

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "restore"))
from plain_mprnet import PlainMPRNet  # noqa: E402 - lies with the tests, which hold the package against it

FRAME_HW = (2048, 2592)
PUBLISHED_GMAC = 759.4
"""Of the published network at 256x256."""
PUBLISHED_GIB = 41.8
"""Live tensors of the published network for a 2592x2048 frame."""
BARS = {"float32 channels_last": 0.93, "bfloat16 channels_last": 0.46}
GPU_BAR = 3.0
GIB = 2**30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sides", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, default=8, help="crops of 256x256 in a training step, on a GPU")
    options = parser.parse_args()
    torch.manual_seed(0)
    check_parity()
    ours = MPRNet(3, **MPRNet.presets["deblur"]).eval()
    plain = PlainMPRNet(3, 96, 48, 32, 8).eval()
    plain.load_state_dict(ours.to_official_state_dict())
    count_products(plain)
    weigh_maps(ours, plain)
    if options.device == "cpu":
        torch.set_num_threads(1)
        for side in options.sides:
            time_on_cpu(ours, plain, side=side, rounds=options.rounds)
    else:
        time_on_gpu(ours, plain, options)


def check_parity() -> None:
    """The plain form is the published network: it gives the golden outputs."""
    with np.load(ROOT / "tests" / "restore" / "golden" / "mprnet_tiny.npz") as file:
        golden = {name: torch.from_numpy(file[name]).double() for name in file.files}
    weights = {name.removeprefix("weights/"): t for name, t in golden.items() if name.startswith("weights/")}
    plain = PlainMPRNet(3, 16, 8, 8, 2).double().eval()
    plain.load_state_dict(weights)
    ours = MPRNet.from_official_state_dict(weights).double().eval()
    for name, network in (("plain form", plain), ("package", ours)):
        with torch.inference_mode():
            stages = network(golden["input"])
        wanted = [golden[f"output{number}_float64"] for number in (1, 2, 3)]
        error = max(float((a - b).abs().max()) for a, b in zip(stages, wanted, strict=True))
        largest = max(float((b - golden["input"]).abs().max()) for b in wanted)
        print(f"golden parity, {name}: {error / largest:.1e} of the correction {verdict(error / largest, 1e-11)}")


def count_products(plain: PlainMPRNet) -> None:
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        copy.deepcopy(plain).to("meta")(torch.empty(1, 3, 256, 256, device="meta"))
    gmac = counter.get_total_flops() / 2e9
    print(f"plain form at 256x256: {gmac:.1f} G multiply-accumulates, published {PUBLISHED_GMAC} "
          f"{verdict(abs(gmac / PUBLISHED_GMAC - 1), 0.01)}")  # fmt: skip


def weigh_maps(ours: MPRNet, plain: PlainMPRNet) -> None:
    shape = (1, 3, *FRAME_HW)
    for dtype, bar_gib in ((torch.float32, 14), (torch.bfloat16, 7)):
        gib = live_peak_bytes(ours, shape, dtype=dtype) / GIB
        print(f"live tensors, 2592x2048, {dtype}: {gib:.2f} GiB {verdict(gib, bar_gib)}")
    print(f"live tensors, 2592x2048, plain form: {live_peak_bytes(plain, shape) / GIB:.1f} GiB; "
          f"published {PUBLISHED_GIB}")  # fmt: skip


def time_on_cpu(ours: MPRNet, plain: PlainMPRNet, *, side: int, rounds: int) -> None:
    images = torch.rand(1, 3, side, side)
    last = images.contiguous(memory_format=torch.channels_last)
    fast = ours.placed(torch.device("cpu"))
    low = copy.deepcopy(fast).to(torch.bfloat16)
    runs: dict[str, Callable[[], object]] = {
        "plain float32": lambda: plain(images),
        "float32 channels_last": lambda: fast(last),
        "bfloat16 channels_last": lambda: low(last),
    }
    ratios = alternate(runs, rounds=rounds, clock=time.process_time)
    for name, ratio in ratios.items():
        print(
            f"{side}x{side}, one thread, {name}: {ratio:.3f} of the plain form's time {verdict(ratio, BARS[name])}"
        )


def alternate(
    runs: Mapping[str, Callable[[], object]], *, rounds: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Median over rounds of each run's time over the first one's in the same round."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    with torch.inference_mode():
        for number in range(rounds + 1):
            for name, run in runs.items():
                started = clock()
                run()
                if number:  # the first round warms up
                    times[name].append(clock() - started)
    first, *others = runs
    for name in runs:
        print(f"  {name}: median {statistics.median(times[name]):.3f} s")
    return {
        name: statistics.median(a / b for a, b in zip(times[name], times[first], strict=True)) for name in others
    }


def time_on_gpu(ours: MPRNet, plain: PlainMPRNet, options: argparse.Namespace) -> None:
    """Inference of 512x512 px and training steps of 256x256 px crops; the plain form as torch has it."""
    device = torch.device(options.device)
    plain = plain.to(device)
    fast = ours.placed(device)
    low = copy.deepcopy(fast).to(torch.bfloat16)
    images = torch.rand(1, 3, 512, 512, device=device)
    last = images.contiguous(memory_format=torch.channels_last)
    runs = {"plain": settled(lambda: plain(images)), "bfloat16 channels_last": settled(lambda: low(last))}
    for name, ratio in alternate(runs, rounds=options.rounds, clock=time.perf_counter).items():
        print(f"inference, {torch.cuda.get_device_name()}, {name}: {1 / ratio:.2f}x "
              f"{verdict(ratio, 1 / GPU_BAR)}")  # fmt: skip
    crops = torch.rand(options.batch, 3, 256, 256, device=device)
    target = crops.roll(1, 3)
    steps = {
        "plain": settled(training_step(plain, crops, target, low=False)),
        "bfloat16 autocast, channels_last": settled(
            training_step(fast, crops.contiguous(memory_format=torch.channels_last), target, low=True)
        ),
    }
    for name, ratio in alternate(steps, rounds=options.rounds, clock=time.perf_counter).items():
        print(f"training step of {options.batch}, {name}: {1 / ratio:.2f}x {verdict(ratio, 1 / GPU_BAR)}")


def settled(run: Callable[[], object]) -> Callable[[], None]:
    """`run`, waited for until the GPU is done."""

    def run_and_wait() -> None:
        run()
        torch.cuda.synchronize()

    return run_and_wait


def training_step(network: torch.nn.Module, images: Tensor, target: Tensor, *, low: bool) -> Callable[[], None]:
    """One step of AdamW with the published loss."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-4, fused=low)

    def step() -> None:
        with torch.inference_mode(mode=False), torch.enable_grad():
            optimiser.zero_grad(set_to_none=True)
            with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=low):
                stages = network(images)
            restoration_loss([stage.float() for stage in stages], target).backward()
            optimiser.step()

    return step


def verdict(value: float, bar: float) -> str:
    return f"(bar {bar:g}: {'held' if value <= bar else 'MISSED'})"


if __name__ == "__main__":
    main()
