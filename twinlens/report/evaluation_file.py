"""An evaluation as an artefact: scores, and everything they depend on, in one JSON file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twinlens.dataset.paired import PairedDataset
from twinlens.report.plain import plain
from twinlens.restore.checkpoint import CheckpointCard
from twinlens.restore.evaluate import EvaluationReport, EvaluationSettings
from twinlens.restore.restore_settings import RestoreSettings
from twinlens.storage import write_artefact

SCHEMA, SCHEMA_VERSION = "twinlens.evaluation", "1.0.0"


@dataclass(frozen=True, kw_only=True)
class EvaluationFile:
    """What an evaluation was made of, and what it found."""

    report: EvaluationReport
    settings: EvaluationSettings
    dataset: PairedDataset
    scheme: str
    """Of the dataset's splits."""
    card: CheckpointCard
    baselines: Mapping[str, str]
    """Name and how it was set."""
    files: Mapping[str, str]
    """SHA-256 of the checkpoint, and of the calibration where baselines needed one, by name."""
    restoring: RestoreSettings
    """How pictures were brought through the network."""
    split_pairs: int
    """Pairs in the split, of which the report may hold fewer."""

    def write(self, path: Path) -> None:
        """Write the file whole; infinite PSNR (a picture equal to its target) is null."""
        write_artefact(path, SCHEMA, SCHEMA_VERSION, self.fields())

    def fields(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "dataset": {
                "name": self.dataset.name,
                "version": self.dataset.version,
                "content_hash": self.dataset.content_hash,
                "scheme": self.scheme,
                "split": self.report.split,
                "pairs": self.split_pairs,
            },
            "checkpoint": plain(self.card.as_dict()),
            "files": dict(self.files),
            "restoring": plain(self.restoring.as_dict()),
            "settings": plain(self.settings.as_dict()),
            "baselines": dict(self.baselines),
            "evaluation": plain(self.report),
        }
