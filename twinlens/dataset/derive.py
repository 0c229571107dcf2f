"""The next version of a dataset: fewer pairs, a crop, other splits, another scheme, or more pairs.

A dataset never changes. What is made from one names it as its parent, and pairs that stay keep their split unless
new splits are asked for, so that a network trained on the parent is never examined on what it has seen.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import numpy as np

from twinlens.calibrate import Box
from twinlens.calibrate.geometry import normalised, shift
from twinlens.dataset.build import DatasetSettings, Divider, Division, Recipe, assemble
from twinlens.dataset.duplicates import DuplicateReport
from twinlens.dataset.entry import Entry
from twinlens.dataset.groups import Member
from twinlens.dataset.layout import Layout
from twinlens.dataset.limits import PassportLimits
from twinlens.dataset.measure import measured, require_intact
from twinlens.dataset.paired import PairedDataset
from twinlens.dataset.schema import DEFAULT_SCHEME, SPLITS, UNUSED, Reject
from twinlens.dataset.schemes import SplitSettings, divide
from twinlens.dataset.stored_schemes import PARTS, StoredScheme, drawn
from twinlens.dataset.summary import DatasetReport
from twinlens.dataset.tiled import TileStack
from twinlens.errors import DatasetError
from twinlens.settings import Settings


@dataclass(frozen=True, kw_only=True)
class DeriveSettings(Settings):
    """What of a dataset goes into the next version."""

    scenes: tuple[str, ...] = ()
    """Only these; empty keeps all."""
    mirror_states: tuple[str, ...] = ()
    """Only these; empty keeps all."""
    limits: PassportLimits = field(default_factory=lambda: PassportLimits(allow_coarse=True))
    """Pairs that miss one are left out and listed."""
    crop: Box | None = None
    """Part of every frame, in its pixels."""
    splits: SplitSettings | None = None
    """Draws the default scheme anew; None leaves every pair where it is."""
    layout: Layout | None = None
    """None keeps the parent's."""
    version: str = ""
    """Empty counts the parent's major version up."""


def derive_dataset(
    parent: PairedDataset, out: Path, *, settings: DeriveSettings, overwrite: bool = False
) -> DatasetReport:
    """Write to `out` what `settings` keep of `parent`.

    Raises:
        DatasetError: nothing is kept, a name is unknown, the crop leaves the frame, or `out` cannot be written.
        SplitLeakError: the kept scenes cannot be split as asked.
    """
    _require_known(parent, settings)

    def division(members: Sequence[Member], _: DuplicateReport) -> Division:
        kept = _inherited(parent, members)
        if settings.splits is None:
            return kept
        scheme = divide(members, settings.splits, same=_ties(kept.group_of))
        schemes = {DEFAULT_SCHEME: drawn(scheme, settings.splits)}
        return Division(schemes, scheme.group_of, {**kept.places, **settings.splits.places})

    recipe = _recipe(
        parent, division, settings.version or next_version(parent.version, part=0), settings.as_dict()
    )
    if settings.layout is not None:
        recipe = replace(recipe, settings=replace(recipe.settings, layout=settings.layout))
    return assemble(chain(_kept(parent, settings), parent.rejects), out, recipe, overwrite=overwrite)


def add_scheme(parent: PairedDataset, out: Path, *, name: str, splits: SplitSettings) -> DatasetReport:
    """Write to `out` the same pairs with one more split scheme, or with another of that name.

    Raises:
        DatasetError: `out` exists or cannot be written, or the name cannot be one.
        SplitLeakError: the scenes cannot be split as asked.
    """
    if not name or "/" in name or name == ".":
        raise DatasetError(f"{name!r} cannot be the name of a scheme", hint="use letters, digits and dashes")

    def division(members: Sequence[Member], _: DuplicateReport) -> Division:
        kept = _inherited(parent, members)
        scheme = drawn(divide(members, splits, same=_ties(kept.group_of)), splits)
        return replace(kept, schemes={**kept.schemes, name: scheme})

    part = 0 if name in parent.schemes else 1
    recipe = _recipe(parent, division, next_version(parent.version, part=part), {"scheme": name})
    return assemble(chain(_kept(parent, DeriveSettings()), parent.rejects), out, recipe)


def appended(parent: PairedDataset, recipe: Recipe) -> Recipe:
    """The recipe of a version of `parent` that gets more pairs, from the recipe of these alone.

    Raises:
        DatasetError: the new pairs are corrected and the old ones not, or the other way round.
    """
    if (recipe.corrections is not None) != parent.is_corrected:
        raise DatasetError(
            f"{parent.path} holds {'corrected' if parent.is_corrected else 'raw'} frames, the new ones are not",
            hint="calibrate the new sessions with, or without, dark and flat series like the old ones",
        )
    splits = recipe.settings.splits

    def division(members: Sequence[Member], duplicates: DuplicateReport) -> Division:
        kept = _inherited(parent, members)
        pinned = replace(splits, assignment={**splits.assignment, **_pins(parent)})
        same = [(one.scene_a, one.scene_b) for one in duplicates.found]
        found = divide(members, pinned, same=[*same, *_ties(kept.group_of)])
        places = {**kept.places, **splits.places}
        schemes = {**kept.schemes, DEFAULT_SCHEME: _joined(parent, members, drawn(found, pinned))}
        return Division(schemes, found.group_of, places)

    old, new = parent.provenance(), recipe.provenance
    known = {source.session_id: source for source in (*old.sources, *new.sources)}
    states = {state.label: state for state in (*old.mirror_states, *new.mirror_states)}
    config = {**json.loads(new.config_json), "parent": _ancestry(parent)}
    provenance = replace(
        new,
        config_json=json.dumps(config, default=dict),
        parent=parent.content_hash,
        sources=tuple(known.values()),
        mirror_states=tuple(states.values()),
    )
    head = parent.contents.head
    version = next_version(parent.version, part=1)
    settings = _texts(replace(recipe.settings, name=parent.name, version=version), head)
    return replace(recipe, settings=settings, provenance=provenance, divider=division)


def entries_of(dataset: PairedDataset) -> Iterator[Entry]:
    """Every pair as it would be stored again, its pixels checked.

    Raises:
        CorruptError: the pixels of a pair are not those that were written.
    """
    for row in range(len(dataset)):
        for stack in dataset.stacks:
            if isinstance(stack, TileStack):
                stack.require_unpackable(row)
        entry = dataset.entry(row)
        require_intact(entry, dataset.path)
        yield entry


def next_version(version: str, *, part: int) -> str:
    """The semantic version with its major (0), minor (1) or patch (2) number counted up."""
    numbers = [int(number) for number in version.split(".")]
    return ".".join(str(n) for n in (*numbers[:part], numbers[part] + 1, *([0] * (2 - part))))


def _recipe(
    parent: PairedDataset,
    division: Divider,
    version: str,
    told: Mapping[str, object],
) -> Recipe:
    old, head = parent.provenance(), parent.contents.head
    config = {"derived": told, "parent": _ancestry(parent)}
    return Recipe(
        settings=_texts(
            DatasetSettings(
                name=parent.name,
                version=version,
                layout=parent.contents.layout,
                grid=parent.contents.grid,
                find_duplicates=False,  # the parent's groups stay
            ),
            head,
        ),
        provenance=replace(old, config_json=json.dumps(config, default=dict), parent=parent.content_hash),
        corrections=parent.corrections(),
        divider=division,
    )


def _ancestry(parent: PairedDataset) -> dict[str, object]:
    """What a child remembers of how its parent was made, should the parent be lost."""
    found = parent.provenance()
    return {
        "name": parent.name,
        "version": parent.version,
        "content_hash": parent.content_hash,
        "config": json.loads(found.config_json),
        "calibration": json.loads(found.calibration_json),
    }


def _texts(settings: DatasetSettings, head: Mapping[str, str]) -> DatasetSettings:
    """The settings with what the parent says of itself."""
    return replace(
        settings,
        description=head.get("description", ""),
        license=head.get("license", ""),
        citation=head.get("citation", ""),
    )


def _kept(parent: PairedDataset, settings: DeriveSettings) -> Iterator[Entry | Reject]:
    for entry in entries_of(parent):
        if settings.scenes and entry.scene not in settings.scenes:
            continue
        if settings.mirror_states and entry.mirror_state not in settings.mirror_states:
            continue
        missed = settings.limits.missed_by(entry)
        if missed is not None:
            yield missed
        else:
            yield entry if settings.crop is None else _cropped(entry, settings.crop)


def _cropped(entry: Entry, box: Box) -> Entry:
    return measured(
        replace(
            entry,
            row=entry.row.copy(),
            input=entry.input[box.crop].copy(),
            target=entry.target[box.crop].copy(),
            mask=entry.mask[box.crop].copy(),
            b_from_a=normalised(shift(-box.left, -box.top) @ entry.b_from_a),
        )
    )


def _require_known(parent: PairedDataset, settings: DeriveSettings) -> None:
    states = [state.label for state in parent.mirror_states]
    for what, asked, known in (
        ("scene", settings.scenes, parent.scenes),
        ("mirror state", settings.mirror_states, states),
    ):
        missing = sorted(set(asked) - set(known))
        if missing:
            raise DatasetError(
                f"{parent.path} has no {what} {', '.join(missing)}; it has {', '.join(sorted(known))}",
                hint="correct the name",
            )
    height, width = parent.shape_hw
    box = settings.crop
    if box is not None and not (0 <= box.left < box.right <= width and 0 <= box.top < box.bottom <= height):
        raise DatasetError(
            f"the crop {box} does not lie inside frames of {width}x{height} px", hint="give a smaller crop"
        )


def _inherited(parent: PairedDataset, members: Sequence[Member]) -> Division:
    """Every scheme of `parent`, as far as its pairs are among `members`; other pairs are unused."""
    contents = parent.contents
    row_of = {name.decode(): row for row, name in enumerate(contents.table["pair_id"].tolist())}
    old_rows = [row_of.get(member.pair_id) for member in members]
    schemes = {}
    for name, scheme in contents.schemes.items():
        parts = scheme.part_of_row(len(parent))
        now = [UNUSED if row is None else PARTS[parts[row]] for row in old_rows]
        rows = {part: np.array([k for k, where in enumerate(now) if where == part], np.int64) for part in PARTS}
        schemes[name] = replace(scheme, rows=rows)
    scenes = {member.scene for member in members}
    group_of = {scene: contents.group_of.get(scene, scene) for scene in sorted(scenes)}
    return Division(schemes, group_of, {s: p for s, p in contents.places.items() if s in scenes})


def _joined(parent: PairedDataset, members: Sequence[Member], found: StoredScheme) -> StoredScheme:
    """A newly drawn scheme in which the parent's pairs stay where they are."""
    old = _inherited(parent, members).schemes[DEFAULT_SCHEME]
    known = {name.decode() for name in parent.contents.table["pair_id"].tolist()}
    is_new = np.array([member.pair_id not in known for member in members])
    rows = {
        part: np.sort(
            np.concatenate([old.rows[part][~is_new[old.rows[part]]], found.rows[part][is_new[found.rows[part]]]])
        )
        for part in PARTS
    }
    return replace(found, rows=rows, is_leaky=found.is_leaky or old.is_leaky)


def _pins(parent: PairedDataset) -> dict[str, str]:
    """The split of every scene that lies in one."""
    contents, default = parent.contents, parent.contents.schemes[DEFAULT_SCHEME]
    pins: dict[str, str] = {}
    for split in SPLITS:
        for scene_id in np.unique(contents.table["group_id"][default.rows[split]]).tolist():
            pins.setdefault(contents.scenes[scene_id], split)
    return pins


def _ties(group_of: Mapping[str, str]) -> list[tuple[str, str]]:
    """Scenes that were one group, so that they stay one."""
    first: dict[str, str] = {}
    return [(first.setdefault(group, scene), scene) for scene, group in sorted(group_of.items())]
