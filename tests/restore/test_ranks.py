"""Two processes that share the crops are one process with a batch of twice the size."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from twinlens.dataset import PairedDataset
from twinlens.errors import SettingsError
from twinlens.restore.tensors import read_tensors
from twinlens.restore.train import LAST, TrainSettings, train

WORK = """
import sys
import torch
torch.set_num_threads(1)
from pathlib import Path
from twinlens.dataset import PairedDataset
from twinlens.restore.train import TrainSettings, train
import json
settings = TrainSettings.from_dict(json.loads(sys.argv[3]))
steps = [r.step for r in train(PairedDataset(sys.argv[1]), settings, out=Path(sys.argv[2]))]
assert steps == list(range(2, settings.steps + 1, 2)), steps
"""


def settings_of(batch_size: int, accumulate: int) -> TrainSettings:
    return TrainSettings(
        preset="tiny",
        steps=6,
        batch_size=batch_size,
        accumulate=accumulate,
        crop_px=16,
        precision="float64",
        validate_every=4,
        validation_crops=1,
        report_every=2,
    )


def test_two_gloo_processes_train_like_one_with_a_double_batch(dataset: PairedDataset, tmp_path: Path) -> None:
    import json

    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    script = tmp_path / "work.py"
    script.write_text(WORK)
    asked = json.dumps(settings_of(1, 2).as_dict())
    ran = subprocess.run(
        [*command, str(script), str(dataset.path), str(tmp_path / "two"), asked],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert ran.returncode == 0, ran.stderr
    list(train(dataset, settings_of(4, 1), out=tmp_path / "one"))
    two, one = (read_tensors(tmp_path / name / LAST)[0] for name in ("two", "one"))
    assert two.keys() == one.keys()
    for name, weights in one.items():
        assert weights.dtype == np.float64
        np.testing.assert_allclose(two[name], weights, rtol=1e-6, atol=1e-9)


def test_half_an_environment_of_torchrun_is_refused(
    dataset: PairedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(SettingsError, match="MASTER_ADDR") as refused:
        next(train(dataset, settings_of(1, 1), out=tmp_path / "run"))
    assert "torchrun" in refused.value.hint
