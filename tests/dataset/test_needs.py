"""Reading needs numpy and h5py, batches add torch: nothing else may be asked of a training machine."""

import subprocess
import sys
from pathlib import Path

import pytest

READ = """
import sys

class Unfindable:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED or name in ("twinlens.capture", "twinlens.calibrate"):
            raise ModuleNotFoundError(f"{name} is not on a training machine", name=name)

BLOCKED = set(sys.argv[2].split())
sys.meta_path.insert(0, Unfindable())
import numpy as np
from twinlens.dataset import PairedDataset, random_crops
split = PairedDataset(sys.argv[1]).split("train")
print(split.dataset.summary().pairs)
next(random_crops(split, crop_px=16, rng=np.random.default_rng(0)))
if "torch" not in BLOCKED:
    from twinlens.dataset import random_batches
    print(next(random_batches(split, crop_px=16, batch_size=2, rng=np.random.default_rng(0), steps=1)).input.shape)
"""
NOT_NEEDED = "beartype click genicam harvesters hdf5plugin jaxtyping matplotlib PIL rich scipy skimage xxhash"


@pytest.mark.parametrize("also_missing", ["", " torch cv2"], ids=["batches", "crops"])
def test_a_bare_training_machine_reads_pairs(dataset_path: Path, also_missing: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", READ, str(dataset_path), NOT_NEEDED + also_missing],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("10\n")
