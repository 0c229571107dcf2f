"""The next version of a dataset: fewer pairs, a crop, other splits, another scheme, or more pairs.

A dataset never changes. What is made from one names it as its parent, and pairs that stay keep their split unless
new splits are asked for, so that a network trained on the parent is never examined on what it has seen.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import numpy as np

from twinlens.calibrate import Box
from twinlens.calibrate.geometry import normalised, shift
from twinlens.dataset.build import DatasetSettings, Divider, Division, Recipe, assemble, version_in
from twinlens.dataset.contents import opened
from twinlens.dataset.duplicates import DuplicateReport
from twinlens.dataset.entry import Entry
from twinlens.dataset.groups import Member, group_of_scenes
from twinlens.dataset.layout import Layout
from twinlens.dataset.limits import PassportLimits
from twinlens.dataset.measure import measured, require_intact
from twinlens.dataset.paired import PairedDataset
from twinlens.dataset.schema import DEFAULT_SCHEME, UNUSED, Reject
from twinlens.dataset.schemes import SplitSettings, divide
from twinlens.dataset.seal import broken_seal, stored_seal
from twinlens.dataset.stored_schemes import PARTS, drawn
from twinlens.dataset.summary import DatasetReport
from twinlens.dataset.tiled import TileStack
from twinlens.errors import CorruptError, DatasetError
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

    def division(members: Sequence[Member], duplicates: DuplicateReport) -> Division:
        kept = inherited(parent, members)
        same = [*ties(kept.group_of), *duplicates.ties]
        if settings.splits is None:
            # Pictures that are alike only since they were cropped make one group; the file is refused if it leaks.
            return replace(kept, group_of=group_of_scenes(kept.group_of, places=kept.places, same=same))
        splits = replace(settings.splits, places={**kept.places, **settings.splits.places})
        scheme = divide(members, splits, same=same)
        return Division({**kept.schemes, DEFAULT_SCHEME: drawn(scheme, splits)}, scheme.group_of, splits.places)

    version = version_after(parent.version, out, part=0, asked=settings.version)
    recipe = _recipe(parent, division, version, settings.as_dict())
    changed = replace(
        recipe.settings,
        layout=settings.layout or recipe.settings.layout,
        find_duplicates=settings.crop is not None,  # else the parent's groups tell
    )
    recipe = replace(recipe, settings=changed)
    return assemble(chain(_kept(parent, settings), parent.rejects), out, recipe, overwrite=overwrite)


def add_scheme(parent: PairedDataset, out: Path, *, name: str, splits: SplitSettings) -> DatasetReport:
    """Write to `out` the same pairs with one more split scheme, or with another of that name.

    Raises:
        DatasetError: `out` exists or cannot be written, or the name cannot be one.
        SplitLeakError: the scenes cannot be split as asked.
    """
    if not re.fullmatch(r"\w[\w-]*", name):
        raise DatasetError(f"{name!r} cannot be the name of a scheme", hint="use letters, digits and dashes")

    def division(members: Sequence[Member], _: DuplicateReport) -> Division:
        kept = inherited(parent, members)
        known = replace(splits, places={**kept.places, **splits.places})
        scheme = divide(members, known, same=ties(kept.group_of))
        return Division({**kept.schemes, name: drawn(scheme, known)}, scheme.group_of, known.places)

    version = version_after(parent.version, out, part=0 if name in parent.schemes else 1)
    recipe = _recipe(parent, division, version, {"scheme": name})
    return assemble(chain(_kept(parent, DeriveSettings()), parent.rejects), out, recipe)


def entries_of(dataset: PairedDataset) -> Iterator[Entry]:
    """Every pair as it would be stored again, checked.

    Raises:
        CorruptError: a pair, or anything else in the file, is not what was written.
    """
    with opened(dataset.path) as file:
        if stored_seal(file) is not None and broken_seal(file):
            raise CorruptError(
                f"{dataset.path}: its tables and attributes do not have their seal",
                hint="look at it with `twinlens verify`, and restore it from a copy",
            )
    for row in range(len(dataset)):
        for stack in dataset.stacks:
            if isinstance(stack, TileStack):
                stack.require_unpackable(row)
        yield require_intact(dataset.entry(row), dataset.path)


def next_version(version: str, *, part: int) -> str:
    """The semantic version with its major (0), minor (1) or patch (2) number counted up."""
    numbers = [int(number) for number in version.split(".")]
    return ".".join(str(n) for n in (*numbers[:part], numbers[part] + 1, *([0] * (2 - part))))


def next_file(parent: PairedDataset, *, part: int) -> Path:
    """Where the next version of `parent` lies if nobody says otherwise: beside it, such as street-v1.3.0.h5."""
    return parent.path.with_name(f"{parent.name}-v{next_version(parent.version, part=part)}.h5")


def version_after(parent: str, out: Path, *, part: int, asked: str = "") -> str:
    """The version of a child: as asked for, else as its name says, else the least that tells what has changed.

    Raises:
        DatasetError: the version asked for tells less.
    """
    least = next_version(parent, part=part)
    found = asked or version_in(out)
    if not found:
        return least
    if [int(number) for number in found.split(".")] < [int(number) for number in least.split(".")]:
        raise DatasetError(
            f"{out.name} is to be version {found}; what has changed since {parent} needs at least {least}",
            hint=f"name it such as NAME-v{least}.h5",
        )
    return found


def _recipe(
    parent: PairedDataset,
    division: Divider,
    version: str,
    told: Mapping[str, object],
) -> Recipe:
    old, head = parent.provenance(), parent.contents.head
    config = {"derived": told, "parent": ancestry(parent)}
    return Recipe(
        settings=with_texts(
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


def ancestry(parent: PairedDataset) -> dict[str, object]:
    """What a child remembers of how its parent was made, should the parent be lost."""
    found = parent.provenance()
    return {
        "name": parent.name,
        "version": parent.version,
        "content_hash": parent.content_hash,
        "config": json.loads(found.config_json),
        "calibration": json.loads(found.calibration_json),
    }


def with_texts(settings: DatasetSettings, head: Mapping[str, str]) -> DatasetSettings:
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
        if missed is None and settings.crop is not None:
            cropped = _cropped(entry, settings.crop)
            yield settings.limits.missed_by(cropped) or cropped
        else:
            yield missed or entry


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


def inherited(parent: PairedDataset, members: Sequence[Member]) -> Division:
    """Every scheme of `parent`, as far as its pairs are among `members`; other pairs are unused."""
    contents = parent.contents
    row_of = {name: row for row, name in enumerate(contents.pair_ids)}
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


def ties(group_of: Mapping[str, str]) -> list[tuple[str, str]]:
    """Scenes that were one group, so that they stay one."""
    first: dict[str, str] = {}
    return [(first.setdefault(group, scene), scene) for scene, group in sorted(group_of.items())]
