"""What the dataset of an import is told besides its pairs: names, provenance, and who goes where."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from twinlens.dataset.build import DatasetSettings, Divider, Division, Recipe
from twinlens.dataset.derive import next_version
from twinlens.dataset.duplicates import DuplicateReport
from twinlens.dataset.exchange.fingerprint import fingerprint
from twinlens.dataset.exchange.found import FoundPair
from twinlens.dataset.exchange.import_settings import ImportSettings
from twinlens.dataset.exchange.kept_splits import kept_splits
from twinlens.dataset.exchange.manifest import MANIFEST, Manifest
from twinlens.dataset.groups import Member
from twinlens.dataset.schema import Provenance, Source
from twinlens.dataset.schemes import SplitSettings
from twinlens.dataset.stored_schemes import StoredScheme
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
    """The recipe for the pairs `found`; those of an export of ours go back to the splits and group they were in.

    What cannot be the exported dataset itself is another version of it, with it as its parent.

    Raises:
        SplitLeakError: a scene lies in two splits.
    """
    is_restored = (
        manifest is not None and not manifest.patch_px and not settings.split_again and not settings.scene_pattern
    )
    channels_of = [pair.facts.get("channels", 1) for pair in found]
    kept_channels = {"keep": channels_of, "rgb": [3] * len(found)}.get(settings.colour, [1] * len(found))
    is_same = is_restored and manifest is not None and not manifest.left_out and channels_of == kept_channels
    texts = manifest.texts if manifest is not None else {}
    version = manifest.version if manifest is not None else "1.0.0"
    parent = manifest.parent if manifest is not None else ""
    if manifest is not None and not is_same:
        version, parent = next_version(version, part=0), manifest.content_hash
    splits = SplitSettings()
    if not is_restored:
        kept = kept_splits(found, scenes, settings)
        splits = SplitSettings(
            ratios=kept.ratios,
            seed=settings.seed,
            assignment=kept.assignment,
            allow_leaky=settings.allow_leaky,
        )
    return Recipe(
        settings=DatasetSettings(
            name=settings.name or (manifest.name if manifest else ""),
            version=settings.version or version,
            description=texts.get("description", ""),
            license=texts.get("license", ""),
            citation=texts.get("citation", ""),
            layout=settings.layout,
            grid=manifest.grid if manifest else "b",
            splits=splits,
            find_duplicates=settings.find_duplicates and not is_restored,
        ),
        provenance=replace(
            _provenance(source, settings, manifest, found=found, session_id=session_id), parent=parent
        ),
        corrections=manifest.corrections if manifest else None,
        divider=_restorer(source, manifest, found, scenes) if manifest is not None and is_restored else None,
    )


def _restorer(source: Path, manifest: Manifest, found: Sequence[FoundPair], scenes: Sequence[str]) -> Divider:
    """Puts every pair where it was in the exported dataset."""

    def restored(members: Sequence[Member], _: DuplicateReport) -> Division:
        if len(members) != len(found):
            raise FormatError(
                f"of {source}, {len(members)} pairs were written, {len(found)} were found",
                hint=f"export again, or remove {MANIFEST} to import bare pictures",
            )
        seen = set(scenes)
        return Division(
            _present(manifest.schemes, [pair.facts["row"] for pair in found]),
            {scene: manifest.group_of.get(scene, scene) for scene in seen},
            {scene: place for scene, place in manifest.places.items() if scene in seen},
        )

    return restored


def _present(schemes: Mapping[str, StoredScheme], rows: Sequence[int]) -> dict[str, StoredScheme]:
    """The schemes of a dataset as those of its `rows` alone."""
    return {
        name: replace(scheme, rows={part: np.flatnonzero(np.isin(rows, was)) for part, was in scheme.rows.items()})
        for name, scheme in schemes.items()
    }


def _provenance(
    source: Path,
    settings: ImportSettings,
    manifest: Manifest | None,
    *,
    found: Sequence[FoundPair],
    session_id: str,
) -> Provenance:
    config: dict[str, object] = {"import": settings.as_dict()}
    if manifest is not None:
        config["exported_from"] = {
            "name": manifest.name,
            "version": manifest.version,
            "content_hash": manifest.content_hash,
            "left_out": manifest.left_out,
        }
    own = Source(session_id, source.resolve().name, fingerprint(source))
    # Nobody hashed the session of a pair that no source names; it is named nevertheless.
    sessions = sorted({str(pair.facts["session_id"]) for pair in found if pair.facts.get("session_id")})
    told = {one.session_id: one for one in (own, *(manifest.sources if manifest else ()))}
    sources = (*told.values(), *(Source(name, "") for name in sessions if name not in told))
    return Provenance(
        config_json=json.dumps(config, sort_keys=True),
        sources=sources,
        mirror_states=manifest.mirror_states if manifest else (),
    )
