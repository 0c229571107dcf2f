"""The most memory a process takes that restores one whole 2592x2048 frame, uint8 and uint16.

Each run is a process of its own; what is told is its maximum resident size, Python, torch and weights with it. The
demo network restores the frame whole, the published deblurring width in the tiles that the restorer chooses. That
takes about ten CPU-minutes a frame, so that unless --full is given it stops after some tiles: all that belongs to
the whole frame is allocated then, but for the result.

    python benchmarks/restore_memory.py [--networks demo deblur] [--precisions float32 auto] [--tiles 2 | --full]
"""

import argparse
import os
import subprocess
import sys
import time

import numpy as np

GIB = 2**30
RUNS = {"demo": (4.0, None), "deblur": (6.0, 1024)}
"""Bar in GiB, and the tile size by network; None is whole."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiles", type=int, default=2, help="tiles after which the deblurring width stops")
    parser.add_argument("--full", action="store_true", help="restore the frame to its end")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precisions", nargs="+", default=["float32", "auto"])
    parser.add_argument("--networks", nargs="+", choices=RUNS, default=list(RUNS))
    parser.add_argument("--size", default="2592x2048", help="width x height of the frame")
    parser.add_argument("--child", nargs=3, metavar=("NETWORK", "DTYPE", "PRECISION"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        restore_frame(*options.child, options=options)
        return
    missed = False
    for network in options.networks:
        bar_gib, _ = RUNS[network]
        for dtype in ("uint8", "uint16"):
            for precision in options.precisions:
                peak_gib, told = measured([network, dtype, precision], options)
                missed |= peak_gib > bar_gib
                print(f"{network:7s}{dtype:7s}{told}: {peak_gib:.2f} GiB (bar {bar_gib:g})", flush=True)
    sys.exit(1 if missed else 0)


def measured(child: list[str], options: argparse.Namespace) -> tuple[float, str]:
    """Maximum resident size in GiB of one run in a process of its own, and what it says."""
    command = [sys.executable, __file__, "--tiles", str(options.tiles), "--threads", str(options.threads)]
    command += ["--size", options.size]
    command += ["--full"] * options.full + ["--child", *child]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    told = process.stdout.read().strip()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(child)} ended with status {status}")
    return used.ru_maxrss * 1024 / GIB, told


class EnoughTilesError(Exception):
    """The tiles that were asked for are restored."""


def restore_frame(name: str, dtype: str, precision: str, *, options: argparse.Namespace) -> None:
    """Restore one frame of noise and say how."""
    import torch  # noqa: PLC0415 - the measuring process stays small

    from twinlens.restore.networks import build_network, preset  # noqa: PLC0415
    from twinlens.restore.restorer import Restorer, RestoreSettings  # noqa: PLC0415

    torch.set_num_threads(options.threads)
    width, height = map(int, options.size.split("x"))
    network = build_network("mprnet", channels=1, hyper_parameters=preset("mprnet", name))
    frame = np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, (height, width), dtype)
    settings = RestoreSettings(precision=precision, tile_px=RUNS[name][1] or max(height, width))
    restorer = Restorer(network, bit_depth=8 * frame.itemsize, settings=settings)
    del network
    plan = restorer.plan(frame.shape)

    def stop(done: int, _: int) -> None:
        if done >= options.tiles and not options.full:
            raise EnoughTilesError

    begin, share = time.process_time(), "all"
    try:
        restorer(frame, on_tile=stop)
    except EnoughTilesError:
        share = f"{options.tiles} of them"
    height, width = plan.tile_hw
    pieces = "whole" if plan.is_whole else f"{len(plan.tiles)} tiles of {width}x{height}, {share} run"
    seconds = time.process_time() - begin
    print(f"{str(restorer.precision).removeprefix('torch.')} {pieces}, "
          f"planned {plan.need_bytes / GIB:.2f} GiB, {seconds:.0f} CPU-s")  # fmt: skip


if __name__ == "__main__":
    main()
