"""How restored pictures are scored."""

from dataclasses import dataclass

from twinlens.errors import SettingsError
from twinlens.restore.metrics import PROTOCOL, PROTOCOLS
from twinlens.restore.realign import REALIGNMENTS
from twinlens.settings import Settings


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings(Settings):
    """How restored pictures are scored."""

    protocol: str = PROTOCOL
    """What PSNR and SSIM are: a name of `PROTOCOLS`."""
    realign: str = "none"
    """Score re-aligned pictures too: none, shift or homography."""
    resamples: int = 2000
    """Draws behind a confidence interval."""
    seed: int = 0
    """Of those draws."""

    def check(self) -> None:
        """Raise `SettingsError` where a value cannot work."""
        self.require("resamples", minimum=100, maximum=1_000_000)
        self.require("seed", minimum=0, maximum=2**63 - 1)
        for name, known in (("protocol", tuple(PROTOCOLS)), ("realign", ("none", *REALIGNMENTS))):
            if getattr(self, name) not in known:
                raise SettingsError(
                    f"EvaluationSettings.{name} is {getattr(self, name)!r}; {', '.join(known)} are known",
                    hint=f"give {name} one of these values",
                )
