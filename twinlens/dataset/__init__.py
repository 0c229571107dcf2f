"""Floor 5: aligned pairs in HDF5, with honest splits.

Names load when first used: reading needs numpy and h5py, batches add torch, and only building needs more.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twinlens.dataset.analysis import DatasetAnalysis as DatasetAnalysis
    from twinlens.dataset.analysis import analyse as analyse
    from twinlens.dataset.augment import Augment as Augment
    from twinlens.dataset.batches import Batch as Batch
    from twinlens.dataset.batches import as_batch as as_batch
    from twinlens.dataset.batches import random_batches as random_batches
    from twinlens.dataset.build import DatasetSettings as DatasetSettings
    from twinlens.dataset.build import build_dataset as build_dataset
    from twinlens.dataset.crops import CropLoader as CropLoader
    from twinlens.dataset.crops import PairCrops as PairCrops
    from twinlens.dataset.derive import DeriveSettings as DeriveSettings
    from twinlens.dataset.derive import add_scheme as add_scheme
    from twinlens.dataset.derive import derive_dataset as derive_dataset
    from twinlens.dataset.duplicates import DuplicateReport as DuplicateReport
    from twinlens.dataset.duplicates import DuplicateSettings as DuplicateSettings
    from twinlens.dataset.duplicates import find_same_scenes as find_same_scenes
    from twinlens.dataset.duplicates import phash as phash
    from twinlens.dataset.exchange.export import ExportReport as ExportReport
    from twinlens.dataset.exchange.export import export_dataset as export_dataset
    from twinlens.dataset.exchange.import_settings import ImportSettings as ImportSettings
    from twinlens.dataset.exchange.importing import import_dataset as import_dataset
    from twinlens.dataset.exchange.piece import ExportSettings as ExportSettings
    from twinlens.dataset.groups import Member as Member
    from twinlens.dataset.limits import PassportLimits as PassportLimits
    from twinlens.dataset.paired import PairedDataset as PairedDataset
    from twinlens.dataset.paired import PairSplit as PairSplit
    from twinlens.dataset.paired import StoredPair as StoredPair
    from twinlens.dataset.patches import Crop as Crop
    from twinlens.dataset.patches import random_crops as random_crops
    from twinlens.dataset.sampling import CropKey as CropKey
    from twinlens.dataset.sampling import PairSampler as PairSampler
    from twinlens.dataset.sampling import passport_weights as passport_weights
    from twinlens.dataset.schema import MirrorStateRecord as MirrorStateRecord
    from twinlens.dataset.schema import Provenance as Provenance
    from twinlens.dataset.schema import Source as Source
    from twinlens.dataset.schemes import Scheme as Scheme
    from twinlens.dataset.schemes import SplitSettings as SplitSettings
    from twinlens.dataset.schemes import divide as divide
    from twinlens.dataset.shards import CropDraw as CropDraw
    from twinlens.dataset.shards import ShardCrops as ShardCrops
    from twinlens.dataset.splits import split_scenes as split_scenes
    from twinlens.dataset.summary import DatasetReport as DatasetReport
    from twinlens.dataset.verify import DatasetCheck as DatasetCheck
    from twinlens.dataset.verify import verify_dataset as verify_dataset

_HOMES = {
    "analysis": ("DatasetAnalysis", "analyse"),
    "augment": ("Augment",),
    "batches": ("Batch", "as_batch", "random_batches"),
    "build": ("DatasetSettings", "build_dataset"),
    "crops": ("CropLoader", "PairCrops"),
    "paired": ("PairSplit", "PairedDataset", "StoredPair"),
    "patches": ("Crop", "random_crops"),
    "sampling": ("CropKey", "PairSampler", "passport_weights"),
    "schema": ("MirrorStateRecord", "Provenance", "Source"),
    "derive": ("DeriveSettings", "add_scheme", "derive_dataset"),
    "duplicates": ("DuplicateReport", "DuplicateSettings", "find_same_scenes", "phash"),
    "exchange.export": ("ExportReport", "export_dataset"),
    "exchange.import_settings": ("ImportSettings",),
    "exchange.importing": ("import_dataset",),
    "exchange.piece": ("ExportSettings",),
    "groups": ("Member",),
    "limits": ("PassportLimits",),
    "schemes": ("Scheme", "SplitSettings", "divide"),
    "shards": ("CropDraw", "ShardCrops"),
    "splits": ("split_scenes",),
    "summary": ("DatasetReport",),
    "verify": ("DatasetCheck", "verify_dataset"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"twinlens.dataset.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
