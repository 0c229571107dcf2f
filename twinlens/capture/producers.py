"""Which GenTL producer (.cti) to use, and whether it is one.

A producer is a shared library; harvesters crashes on a file that is none, so the file is loaded here first.
"""

import ctypes
import os
from importlib import resources
from pathlib import Path

from twinlens.errors import CaptureError, SettingsError

PRODUCER_PATH_VARIABLE = "GENICAM_GENTL64_PATH"
"""The GenTL standard's environment variable: folders (or files) separated by the system's path separator."""

_BUNDLED_NAME = "twinlens_gev.cti"
_REQUIRED_SYMBOL = "GCInitLib"


def find_producer(configured: str | None) -> Path:
    """The producer to use: the configured one, else that of GENICAM_GENTL64_PATH, else the bundled one.

    Raises:
        SettingsError: the configured file is missing, or the environment holds several producers or none.
        CaptureError: the library does not load, or is no GenTL producer.
    """
    if configured:
        path = Path(configured).expanduser()
        if not path.is_file():
            raise SettingsError(
                f"GenTL producer {path} is not a file",
                hint="give the path of a vendor's .cti file, or leave `producer` empty for the bundled one",
            )
    elif places := os.environ.get(PRODUCER_PATH_VARIABLE):
        path = _environment_producer(places)
    else:
        path = bundled_producer()
    _check_loads(path)
    return path


def bundled_producer() -> Path:
    """The path of twinlens' own GigE Vision producer.

    Raises:
        CaptureError: the package was installed without its compiled part.
    """
    path = Path(str(resources.files("twinlens.capture.native") / _BUNDLED_NAME))
    if not path.is_file():
        raise CaptureError(
            f"the bundled GenTL producer {path} is missing",
            hint="install twinlens with pip (it compiles the producer), or set `producer` to a vendor's .cti file",
        )
    return path


def _environment_producer(places: str) -> Path:
    """The one producer in a list of folders and files."""
    found: list[Path] = []
    for place in (Path(name) for name in places.split(os.pathsep) if name):
        found += sorted(place.glob("*.cti")) if place.is_dir() else [place] * place.is_file()
    distinct = list(dict.fromkeys(path.resolve() for path in found))
    if len(distinct) == 1:
        return distinct[0]
    if not distinct:
        raise SettingsError(
            f"{PRODUCER_PATH_VARIABLE}={places} holds no .cti file",
            hint=f"point {PRODUCER_PATH_VARIABLE} to the folder of a vendor's producer, or unset it",
        )
    raise SettingsError(
        f"{PRODUCER_PATH_VARIABLE} holds {len(distinct)} producers: {', '.join(map(str, distinct))}",
        hint="name the one to use with `producer` in rig.toml or --producer",
    )


def _check_loads(path: Path) -> None:
    try:
        library = ctypes.CDLL(str(path.resolve()))
    except OSError as error:
        raise CaptureError(
            f"GenTL producer {path} does not load: {error}",
            hint="it must be a shared library for this computer; a vendor's needs the vendor's whole SDK",
        ) from error
    if not hasattr(library, _REQUIRED_SYMBOL):
        raise CaptureError(
            f"{path} is a library, but no GenTL producer: it has no function {_REQUIRED_SYMBOL}",
            hint="a GenTL producer is a file that ends in .cti",
        )
