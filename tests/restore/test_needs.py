"""Training, evaluating and restoring need numpy, h5py, torch and OpenCV: nothing else may be asked for."""

import subprocess
import sys
from pathlib import Path

from twinlens.dataset import PairedDataset

WORK = """
import sys

class Unfindable:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED or name in ("twinlens.capture", "twinlens.calibrate"):
            raise ModuleNotFoundError(f"{name} is not on a training machine", name=name)

BLOCKED = set(sys.argv[3].split())
sys.meta_path.insert(0, Unfindable())
from pathlib import Path
import torch
torch.set_num_threads(1)
from twinlens.dataset import PairedDataset
from twinlens.restore.baselines import best_wiener
from twinlens.restore.checkpoint import load_checkpoint
from twinlens.restore.evaluate import evaluate, summarise
from twinlens.restore.restorer import Restorer
from twinlens.restore.train import TrainSettings, train

dataset, out = PairedDataset(sys.argv[1]), Path(sys.argv[2])
for report in train(dataset, TrainSettings(preset="tiny", steps=2, batch_size=1, crop_px=16), out=out):
    print(report.step)
restorer = Restorer.from_checkpoint(load_checkpoint(out / "best.safetensors"))
scores = [one.score for one in evaluate(dataset.split("test"), restorer)]
print(summarise(scores, split="test", dataset_hash=dataset.content_hash).protocol)
"""
NOT_NEEDED = (
    "beartype click genicam harvesters hdf5plugin jaxtyping jinja2 matplotlib PIL rich "
    "safetensors scipy skimage xxhash"
)


def test_a_bare_training_machine_trains_and_evaluates(dataset: PairedDataset, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WORK, str(dataset.path), str(tmp_path), NOT_NEEDED],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["2", "wang2003"]
