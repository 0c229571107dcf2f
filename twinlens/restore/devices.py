"""Which torch device computes."""

import torch

from twinlens.errors import SettingsError


def usable_device(name: str) -> torch.device:
    """The torch device called `name`.

    Raises:
        SettingsError: torch knows no such device, or it cannot be used on this machine.
    """
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as cause:
        there = "cpu, cuda" if torch.cuda.is_available() else "cpu"
        raise SettingsError(
            f"device {name!r} cannot be used: {str(cause).splitlines()[0]}", hint=f"this machine has: {there}"
        ) from cause
    return device
