"""More pairs for a dataset: the old ones stay in their split, and the new ones are divided by the same rule."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twinlens.dataset.build import Division, Recipe
from twinlens.dataset.derive import ancestry, inherited, ties, version_after, with_texts
from twinlens.dataset.duplicates import DuplicateReport
from twinlens.dataset.groups import Member
from twinlens.dataset.paired import PairedDataset
from twinlens.dataset.schema import DEFAULT_SCHEME, SPLITS
from twinlens.dataset.schemes import SplitSettings, divide
from twinlens.dataset.stored_schemes import PARTS, StoredScheme, drawn
from twinlens.errors import DatasetError, SplitLeakError


def appended(parent: PairedDataset, recipe: Recipe, out: Path) -> Recipe:
    """The recipe of a version of `parent` that gets more pairs, from the recipe of these alone.

    Of the recipe's split settings, assignment and places are taken; the rest is the parent's rule.

    Raises:
        DatasetError: the new pairs are corrected and the old ones not, or the other way round, or the parent's
            splits cannot be continued.
        SplitLeakError: the assignment contradicts the parent.
    """
    if (recipe.corrections is not None) != parent.is_corrected:
        raise DatasetError(
            f"{parent.path} holds {'corrected' if parent.is_corrected else 'raw'} frames, the new ones are not",
            hint="calibrate the new sessions with, or without, dark and flat series like the old ones",
        )
    pins = _pins(parent)
    rule = _rule(parent, recipe.settings.splits, pins)

    def division(members: Sequence[Member], duplicates: DuplicateReport) -> Division:
        kept = inherited(parent, members)
        same = [*ties(kept.group_of), *duplicates.ties]
        found = divide(members, replace(rule, assignment={**rule.assignment, **pins}), same=same)
        is_new = ~np.isin([member.pair_id for member in members], parent.contents.pair_ids)
        joined = _joined(kept.schemes[DEFAULT_SCHEME], drawn(found, rule), is_new)
        schemes = {**kept.schemes, DEFAULT_SCHEME: joined}
        return Division(schemes, found.group_of, rule.places)

    old, new = parent.provenance(), recipe.provenance
    known = {source.session_id: source for source in (*old.sources, *new.sources)}
    states = {state.label: state for state in (*old.mirror_states, *new.mirror_states)}
    config = {**json.loads(new.config_json), "parent": ancestry(parent)}
    provenance = replace(
        new,
        config_json=json.dumps(config, default=dict),
        parent=parent.content_hash,
        sources=tuple(known.values()),
        mirror_states=tuple(states.values()),
    )
    head = parent.contents.head
    version = version_after(parent.version, out, part=1)
    settings = with_texts(replace(recipe.settings, name=parent.name, version=version), head)
    return replace(recipe, settings=settings, provenance=provenance, divider=division)


def _rule(parent: PairedDataset, asked: SplitSettings, pins: Mapping[str, str]) -> SplitSettings:
    """How the parent's default scheme was drawn, with what is asked for the new scenes."""
    default = parent.contents.schemes[DEFAULT_SCHEME]
    if asked.counts is not None or asked.leave_out_mirror_state:
        raise DatasetError(
            "appended pairs follow the rule of the old ones: no counts and no mirror state can be asked for",
            hint="append first, then `twinlens derive --new-splits` or `twinlens split`",
        )
    if default.is_leaky:
        raise DatasetError(
            f"{parent.path} divides groups, and nothing tells where more pairs of them belong",
            hint="build all sessions together instead",
        )
    wrong = sorted(scene for scene, split in asked.assignment.items() if pins.get(scene, split) != split)
    if wrong:
        scene = wrong[0]
        raise SplitLeakError(
            f"{scene} is assigned to {asked.assignment[scene]}, and {parent.path} has it in {pins[scene]}",
            hint="leave it where it is, or draw all splits anew with `twinlens derive --new-splits`",
        )
    stored = SplitSettings.from_dict(json.loads(default.about.get("settings", "{}")))
    return replace(
        stored,
        counts=None,
        trim=False,
        assignment=asked.assignment,
        places={**parent.contents.places, **asked.places},
        allow_leaky=False,
    )


def _joined(old: StoredScheme, found: StoredScheme, is_new: NDArray[np.bool_]) -> StoredScheme:
    """The newly drawn scheme `found` in which pairs that are not new stay where they are in `old`."""
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
