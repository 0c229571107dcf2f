"""How a picture is brought through a network."""

from dataclasses import dataclass
from pathlib import Path

import torch

from twinlens.errors import SettingsError
from twinlens.settings import Settings

PRECISIONS = ("auto", "float32", "bfloat16")
POOLS = ("global", "local")


@dataclass(frozen=True, kw_only=True)
class RestoreSettings(Settings):
    """How a picture is brought through a network."""

    memory_gib: float | None = None
    """What restoring may take beside the picture; None = what is free."""
    tile_px: int | None = None
    """Largest height and width of a tile, which is the whole picture where it is smaller; None = the whole picture
    where memory allows, otherwise the largest tile up to 1024 px that fits."""
    overlap_px: int = 64
    """What neighbouring tiles share at least."""
    precision: str = "float32"
    """float32, bfloat16, or auto: bfloat16 where the device computes faster in it. It halves time and memory, and
    costs at most 0.01 dB and 1.8/255 in a pixel; scores are taken in float32, to be the same on every machine."""
    pool: str = "global"
    """What the network's gates average over: the whole piece, or (local) 1.5 times what they saw in training."""
    ensemble: bool = False
    """Restore all eight turned and mirrored versions and take the mean: eight times the work. It helps only where
    the blur looks the same turned or mirrored; an asymmetric PSF, as of coma, is one the network has never seen
    in seven of the eight, and it then harms."""
    device: str = "cpu"
    """Where the network runs, as torch names it."""

    def check(self) -> None:
        """Raise `SettingsError` where a value cannot work."""
        self.require("overlap_px", minimum=0, maximum=4096)
        if self.memory_gib is not None:
            self.require("memory_gib", minimum=0.0, maximum=1e6)
        if self.tile_px is not None:
            self.require("tile_px", minimum=self.overlap_px + 16, maximum=1 << 20)
        for name, known in (("precision", PRECISIONS), ("pool", POOLS)):
            if getattr(self, name) not in known:
                raise SettingsError(
                    f"RestoreSettings.{name} is {getattr(self, name)!r}", hint=f"give {' or '.join(known)}"
                )


def precision_on(device: torch.device, wanted: str) -> torch.dtype:
    """The type of weights and maps; "auto" is bfloat16 where the device has instructions for it."""
    if wanted == "auto":
        return torch.bfloat16 if _gains_from_bfloat16(device) else torch.float32
    return torch.bfloat16 if wanted == "bfloat16" else torch.float32


def _gains_from_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    try:
        processor = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return any(flag in processor.split() for flag in ("avx512_bf16", "amx_bf16"))
