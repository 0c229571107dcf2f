"""Importing a dataset: pairs that somebody else registered, streamed into a file of ours with honest splits."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from twinlens.dataset.build import assemble
from twinlens.dataset.entry import Entry
from twinlens.dataset.exchange.basicsr import find_basicsr
from twinlens.dataset.exchange.facts import foreign_entry, known_entry
from twinlens.dataset.exchange.folders import find_in_folders
from twinlens.dataset.exchange.found import FoundPair
from twinlens.dataset.exchange.frames import FrameRule, common_shape_hw, frame_rule, frames_of
from twinlens.dataset.exchange.gopro import find_gopro
from twinlens.dataset.exchange.hdf5 import find_hdf5
from twinlens.dataset.exchange.imagefolder import find_imagefolder
from twinlens.dataset.exchange.import_recipe import import_recipe
from twinlens.dataset.exchange.import_settings import ImportSettings
from twinlens.dataset.exchange.kept_splits import scenes_of
from twinlens.dataset.exchange.lists import find_listed
from twinlens.dataset.exchange.manifest import MANIFEST, Manifest, read_manifest
from twinlens.dataset.exchange.webdataset import find_webdataset
from twinlens.dataset.exchange.zarr_groups import find_zarr
from twinlens.dataset.schema import ID_BYTES, SPLITS, Reject, SplitName
from twinlens.dataset.summary import DatasetReport
from twinlens.errors import DatasetError, FormatError


def import_dataset(
    source: Path,
    out: Path,
    *,
    settings: ImportSettings,
    overwrite: bool = False,
    on_pair: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005 -- names for callers
) -> DatasetReport:
    """Write the pairs in `source` to the dataset `out`; one pair is in memory at a time.

    Pairs are matched by name. Splits of the source are kept by whole scenes; where one is missing, it is taken
    from train. An export of ours comes back as the dataset it was, to the content hash; without the pairs that no
    split used, or with other splits, as its next version. `on_pair` is told how many of how many pairs are done.

    Raises:
        DatasetError: a picture has no partner, sizes differ, or `out` exists or cannot be written.
        FormatError: the source is not of the format, in colour, or damaged.
        SplitLeakError: a scene lies in two splits, or there are too few scenes.
    """
    if out.exists() and not overwrite:
        raise DatasetError(
            f"{out} exists, and datasets never change", hint="give another name, or ask to overwrite"
        )
    manifest = None if source.is_file() else read_manifest(source)
    found = _with_facts(_in_order(_find(source, settings)), manifest)
    scenes = scenes_of(found, settings.scene_pattern)
    session_id = settings.session_id or _short_name(source)
    recipe = import_recipe(source, settings, manifest, found=found, scenes=scenes, session_id=session_id)
    shape_hw = common_shape_hw(found, is_cropped=settings.crop_to_common)
    rule = frame_rule(settings, manifest, shape_hw=shape_hw)

    def entries() -> Iterator[Entry | Reject]:
        is_known = manifest is not None and not manifest.patch_px
        for number, (pair, scene) in enumerate(zip(found, scenes, strict=True)):
            yield _entry(pair, scene, rule, session=(session_id, number), is_known=is_known)
            on_pair(number + 1, len(found))
        if is_known and manifest is not None:
            yield from manifest.rejects

    return assemble(entries(), out, recipe, overwrite=overwrite)


def _entry(pair: FoundPair, scene: str, rule: FrameRule, *, session: tuple[str, int], is_known: bool) -> Entry:
    frames = frames_of(pair, rule)
    if is_known:
        return known_entry(pair.facts, frames, scene=scene)
    bit_depth = rule.bit_depth if frames[0].dtype.itemsize == 2 else 8
    return foreign_entry(frames, bit_depth=bit_depth, scene=scene, session_id=session[0], trigger_index=session[1])


def _find(source: Path, settings: ImportSettings) -> list[FoundPair]:
    """The format's own finder, with what it needs."""
    if settings.format != "hdf5" and not source.is_dir():
        raise FormatError(f"{source} is no folder", hint=f"{settings.format} is read from a folder")
    lists = [(_split(name), _list_file(source, path)) for name, path in settings.lists]
    finders: dict[str, Callable[[], list[FoundPair]]] = {
        "gopro": lambda: find_gopro(source, blur=settings.blur),
        "list": lambda: find_listed(source, lists=lists, columns=settings.columns),
        "basicsr": lambda: find_basicsr(source, sides=settings.sides("{split}/lq", "{split}/gt"), lists=lists),
        "hdf5": lambda: find_hdf5(
            source, sides=settings.sides("", ""), mask=settings.mask, scenes=settings.scenes
        ),
        "folders": lambda: find_in_folders(source, sides=settings.sides("", ""), mask=settings.mask),
        "imagefolder": lambda: find_imagefolder(source),
        "webdataset": lambda: find_webdataset(source, sides=settings.sides("input", "target")),
        "zarr": lambda: find_zarr(source),
    }
    return finders[settings.format]()


def _split(name: str) -> SplitName | None:
    return next((split for split in SPLITS if split == name), None)


def _list_file(source: Path, name: str) -> Path:
    return source / name if (source / name).is_file() else Path(name)


def _in_order(found: list[FoundPair]) -> list[FoundPair]:
    """Sorted by name, each name once."""
    ordered = sorted(found, key=lambda pair: pair.key)
    for before, after in pairwise(ordered):
        if before.key == after.key:
            raise DatasetError(
                f"two pairs are called {before.key}: {before.target.where} and {after.target.where}",
                hint="name every pair once within its split",
            )
    masks = sum(pair.mask is not None for pair in ordered)
    if masks not in (0, len(ordered)):
        lacking = next(pair.key for pair in ordered if pair.mask is None)
        raise DatasetError(
            f"{masks} of {len(ordered)} pairs have a mask, {lacking} has none",
            hint="give all of them one, or none",
        )
    return ordered


def _with_facts(found: Sequence[FoundPair], manifest: Manifest | None) -> list[FoundPair]:
    """Pairs with what an export of ours tells of them, in the order they had in the dataset."""
    if manifest is None:
        return list(found)
    keys = {pair.key for pair in found}
    strange, lacking = sorted(keys - manifest.pairs.keys()), sorted(manifest.pairs.keys() - keys)
    if strange or lacking:
        some = ", ".join((*lacking[:3], *strange[:3]))
        raise DatasetError(
            f"{MANIFEST} lists {len(manifest.pairs)} pairs; {len(lacking)} of them are not there, and "
            f"{len(strange)} others are: {some}",
            hint=f"export again, or remove {MANIFEST} to import bare pictures",
        )
    told = [pair.with_facts(manifest.pairs[pair.key]) for pair in found]
    for pair in told:
        if not isinstance(pair.facts.get("row"), int):
            raise FormatError(f"{MANIFEST} does not tell its row of {pair.key}", hint="export again")
    return sorted(told, key=lambda pair: int(pair.facts["row"]))


def _short_name(source: Path) -> str:
    name = re.sub(r"[^\w-]+", "-", source.resolve().stem).strip("-")
    return name.encode()[:ID_BYTES].decode(errors="ignore")
