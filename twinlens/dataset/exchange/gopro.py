"""GoPro conventions: SPLIT/{input,target} of MPRNet and Restormer, SPLIT/SEQUENCE/{blur,sharp} of GOPRO_Large.

Those tools sort what lies in `input` and in `target` and take the k-th of both for a pair, so names must agree.
"""

from pathlib import Path
from typing import Self

from twinlens.dataset.exchange.found import FoundPair, matched, named_pictures, require_paired, split_folders
from twinlens.dataset.exchange.pictures import png
from twinlens.dataset.exchange.piece import ExportSettings, Piece
from twinlens.dataset.schema import SPLITS
from twinlens.errors import FormatError, SettingsError

SIDES = ("input", "target", "mask")


class GoproWriter:
    """Writes `SPLIT/{input,target,mask}/NAME.png`; those tools look at the first two."""

    def __init__(self, folder: Path, settings: ExportSettings) -> None:  # noqa: ARG002 -- as all writers
        self._folder = folder

    def __enter__(self) -> Self:
        for split in SPLITS:
            for side in SIDES:
                (self._folder / split / side).mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def add(self, piece: Piece) -> None:
        """Write one piece."""
        for side in SIDES:
            path = self._folder / piece.split / side / f"{piece.name}.png"
            path.write_bytes(png(getattr(piece, side)))


def find_gopro(source: Path, *, blur: str) -> list[FoundPair]:
    """Pairs of `SPLIT/[GROUP/]{input,target}/NAME.png`, or of `SPLIT/SEQUENCE/{blur|blur_gamma,sharp}/NAME.png`.

    Args:
        source: holds the folders of the splits.
        blur: which of GOPRO_Large's blurs: "blur" or "blur_gamma".

    Raises:
        FormatError: there are no such folders.
        DatasetError: a picture has no partner.
        SettingsError: GOPRO_Large has two blurs, and none was chosen.
    """
    found = []
    for split, folder in split_folders(source):
        for group in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
            sides = _sides(group, blur)
            if sides is None:
                continue
            # GOPRO_Large's folders are sequences; MPRNet's name a whole set, such as train/GoPro and test/GoPro.
            scene = group.name if sides[1].name == "sharp" and group != folder else ""
            masks = named_pictures(group / "mask")
            pairs = matched(named_pictures(sides[0]), named_pictures(sides[1]), where=str(group))
            require_paired(masks, (name for name, _, _ in pairs), where=str(group))
            for name, one, other in pairs:
                full = name if group == folder else f"{group.name}/{name}"
                found.append(FoundPair(full, split, one, other, masks.get(name), group=scene))
    if not found:
        raise FormatError(
            f"{source} has no train, val or test with input and target, or with sequences of blur and sharp",
            hint="for any other layout: --from folders --input 'x/{name}.png' --target 'y/{name}.png'",
        )
    return found


def _sides(group: Path, blur: str) -> tuple[Path, Path] | None:
    here = {path.name for path in group.iterdir() if path.is_dir()}
    if here & {"input", "target"}:
        return group / "input", group / "target"
    blurs = here & {"blur", "blur_gamma"}
    if "sharp" not in here and not blurs:
        return None
    if blur not in ("blur", "blur_gamma"):
        raise SettingsError(
            f"{group} has {' and '.join(sorted(blurs)) or 'no blur'} beside sharp",
            hint="choose the linear response with --blur blur, or the gamma curve with --blur blur_gamma",
        )
    return group / blur, group / "sharp"
