"""What every test shares: checked types, one torch thread, and system tools that must be there in CI."""

import os
import shutil
from collections.abc import Callable

import pytest
from beartype import BeartypeConf
from beartype.claw import beartype_package

# Every annotation of the package, array shapes and dtypes included, is checked at every call in a test run.
beartype_package("twinlens", conf=BeartypeConf(is_pep484_tower=True))


@pytest.fixture(scope="session", autouse=True)
def _one_torch_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def system_tool() -> Callable[[str, str], str]:
    """The path of a system tool; without it users' runs skip and CI fails."""

    def find(name: str, package: str) -> str:
        path = shutil.which(name)
        if path is None and os.environ.get("CI") == "true":
            pytest.fail(f"{name} is missing: CI installs the Debian package {package}")
        if path is None:
            pytest.skip(f"{name} is not installed (Debian package {package})")
        return path

    return find
