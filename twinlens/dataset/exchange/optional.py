"""Packages that only one format needs."""

from importlib import import_module
from typing import Any

from twinlens.errors import DatasetError


def optional(package: str, *, extra: str) -> Any:
    """The module `package`.

    Raises:
        DatasetError: it is not installed.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as cause:
        raise DatasetError(
            f"the package {package} is not installed", hint=f"pip install 'twinlens[{extra}]'"
        ) from cause
