"""What the dataset of an import is told besides its pairs: names, provenance, and who goes where."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from twinlens.dataset.build import DatasetSettings, Division, Recipe
from twinlens.dataset.duplicates import DuplicateReport
from twinlens.dataset.exchange.fingerprint import fingerprint
from twinlens.dataset.exchange.found import FoundPair
from twinlens.dataset.exchange.import_settings import ImportSettings
from twinlens.dataset.exchange.kept_splits import kept_splits
from twinlens.dataset.exchange.manifest import MANIFEST, Manifest
from twinlens.dataset.groups import Member
from twinlens.dataset.schema import DEFAULT_SCHEME, Provenance, Source
from twinlens.dataset.schemes import SplitSettings
from twinlens.dataset.stored_schemes import PARTS, StoredScheme
from twinlens.errors import FormatError


def import_recipe(
    source: Path,
    settings: ImportSettings,
    manifest: Manifest | None,
    *,
    found: Sequence[FoundPair],
    scenes: Sequence[str],
    session_id: str,
) -> Recipe:
    """The recipe for the pairs `found`; those of an export of ours go back to the split and group they were in.

    Raises:
        SplitLeakError: a scene lies in two splits.
    """
    is_restored = (
        manifest is not None and not manifest.patch_px and not settings.split_again and not settings.scene_pattern
    )
    texts = manifest.texts if manifest is not None else {}
    splits = SplitSettings()
    if not is_restored:
        kept = kept_splits(found, scenes, settings)
        splits = SplitSettings(
            ratios=kept.ratios,
            seed=settings.seed,
            assignment=kept.assignment,
            allow_leaky=settings.allow_leaky,
        )

    def restored(members: Sequence[Member], _: DuplicateReport) -> Division:
        if manifest is None or len(members) != len(found):
            raise FormatError(
                f"of {source}, {len(members)} pairs were written, {len(found)} were found",
                hint=f"export again, or remove {MANIFEST} to import bare pictures",
            )
        splits_of = [pair.split for pair in found]
        rows = {part: np.array([k for k, at in enumerate(splits_of) if at == part], np.int64) for part in PARTS}
        scheme = StoredScheme(rows, manifest.is_leaky, manifest.about)
        seen = set(scenes)
        return Division(
            {DEFAULT_SCHEME: scheme},
            {scene: group for scene, group in manifest.group_of.items() if scene in seen},
            {scene: place for scene, place in manifest.places.items() if scene in seen},
        )

    return Recipe(
        settings=DatasetSettings(
            name=settings.name or (manifest.name if manifest else ""),
            version=settings.version or (manifest.version if manifest else "1.0.0"),
            description=texts.get("description", ""),
            license=texts.get("license", ""),
            citation=texts.get("citation", ""),
            layout=settings.layout,
            grid=manifest.grid if manifest else "b",
            splits=splits,
            find_duplicates=settings.find_duplicates and not is_restored,
        ),
        provenance=_provenance(source, settings, manifest, session_id=session_id),
        corrections=manifest.corrections if manifest else None,
        divider=restored if is_restored else None,
    )


def _provenance(
    source: Path, settings: ImportSettings, manifest: Manifest | None, *, session_id: str
) -> Provenance:
    config: dict[str, object] = {"import": settings.as_dict()}
    if manifest is not None:
        config["exported_from"] = {
            "name": manifest.name,
            "version": manifest.version,
            "content_hash": manifest.content_hash,
        }
    own = Source(session_id, source.resolve().name, fingerprint(source))
    return Provenance(
        config_json=json.dumps(config, sort_keys=True),
        sources=(own, *(manifest.sources if manifest else ())),
        mirror_states=manifest.mirror_states if manifest else (),
    )
