"""Degraded pictures to restore, wherever they lie: image files, folders of them, sessions, datasets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py

from twinlens.capture.session import MANIFEST, Session, SessionPairs
from twinlens.dataset.paired import PairedDataset, PairSplit
from twinlens.dataset.schema import DEFAULT_SCHEME
from twinlens.errors import RestoreError
from twinlens.picture_files import SUFFIXES, read_picture, result_name
from twinlens.pixels import Picture, PictureFloat


@dataclass(frozen=True)
class DegradedPicture:
    """One picture to restore, and the file name its result gets."""

    name: str
    load: Callable[[], Picture | PictureFloat]
    source: Path
    """The image file, session or dataset it lies in."""
    is_raw: bool = False
    """True for a whole frame as camera B sent it."""
    bit_depth: int | None = None
    """Where the source tells; None for image files."""

    @property
    def file(self) -> Path | None:
        """The image file it is; None for frames of sessions and datasets, which are alike within a source."""
        return self.source if self.source.suffix.lower() in SUFFIXES and self.source.is_file() else None

    @property
    def id(self) -> str:
        """What it is called where no file name is needed: a pair's id, or session and number."""
        return Path(self.name).stem


def degraded_pictures(
    sources: Sequence[Path], *, split: str = "test", scheme: str = DEFAULT_SCHEME
) -> list[DegradedPicture]:
    """Every picture in `sources`: a session counts with each frame of camera B, a dataset with its inputs.

    Args:
        sources: image files, folders of them, session folders, datasets.
        split: of datasets.
        scheme: of datasets.

    Raises:
        RestoreError: there is none, or two would get the same name.
        TwinlensError: a session or dataset cannot be read.
    """
    found = [picture for source in sources for picture in _pictures(source, split, scheme)]
    if not found:
        raise RestoreError(
            f"no picture in {', '.join(map(str, sources))}",
            hint=f"give {', '.join(sorted(SUFFIXES))} files, folders of them, session folders, or datasets",
        )
    names: set[str] = set()
    for picture in found:
        if picture.name in names:
            raise RestoreError(
                f"two pictures are named {picture.name}", hint="rename one of them, or give them one by one"
            )
        names.add(picture.name)
    return found


def sessions_among(sources: Sequence[Path]) -> list[Session]:
    """Those of the sources that are sessions."""
    return [Session(source) for source in sources if (source / MANIFEST).is_file()]


def _pictures(source: Path, split: str, scheme: str) -> list[DegradedPicture]:
    if source.is_file():
        return _inputs(source, split, scheme) if h5py.is_hdf5(source) else [_image_file(source)]
    if (source / MANIFEST).is_file():
        session = Session(source)
        pairs = session.pairs()
        return [
            DegradedPicture(
                f"{session.id}_{i:06d}.png",
                partial(_camera_b, pairs, i),
                source,
                is_raw=True,
                bit_depth=session.manifest.bit_depth,
            )
            for i in range(len(pairs))
        ]
    files = sorted(path for path in source.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    return [_image_file(path) for path in files]


def _image_file(path: Path) -> DegradedPicture:
    if path.suffix.lower() not in SUFFIXES:
        raise RestoreError(
            f"{path} is no picture by its name", hint=f"give {', '.join(sorted(SUFFIXES))} files, or rename it"
        )
    return DegradedPicture(result_name(path), partial(read_picture, path), path)


def _inputs(path: Path, split: str, scheme: str) -> list[DegradedPicture]:
    pairs = PairedDataset(path).split(split, scheme=scheme)
    ids = [pair_id.decode() for pair_id in pairs.dataset.contents.table["pair_id"][pairs.indices].tolist()]
    return [
        DegradedPicture(f"{pair_id}.png", partial(_input, pairs, i), path, bit_depth=pairs.bit_depth)
        for i, pair_id in enumerate(ids)
    ]


def _camera_b(pairs: SessionPairs, index: int) -> Picture:
    return pairs[index].b.pixels


def _input(pairs: PairSplit, index: int) -> Picture:
    return pairs.frames(index)[0]
