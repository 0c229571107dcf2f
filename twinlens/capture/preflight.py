"""What can be known to fail before the first trigger: cameras set differently, a link or disk too slow."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from twinlens.capture.configure import compare_settings
from twinlens.capture.frame import CameraRole
from twinlens.capture.host import require_disk
from twinlens.capture.interfaces import route_to
from twinlens.capture.link import require_rig_fits
from twinlens.capture.messages import Opened
from twinlens.capture.pixel_formats import bit_depth
from twinlens.capture.report import Take
from twinlens.capture.rig_file import RigSettings


def require_ready(
    settings: RigSettings, cameras: Mapping[CameraRole, Opened], takes: Iterable[Take | None], *, folder: Path
) -> None:
    """Refuse a recording that cannot go well.

    Link and disk are checked where `rate_hz` says how fast frames come.

    Raises:
        SettingsError: the cameras are not set alike.
        HostLimitError: link or disk cannot carry the rate; the message says what fits.
    """
    setting = cameras["a"].setting
    compare_settings(setting, cameras["b"].setting)
    if not settings.rate_hz:
        return
    addresses = {role: opened.setting.address for role, opened in cameras.items()}
    if all(addresses.values()):
        require_rig_fits(
            setting.pixel_format,
            setting.shape_hw,
            rate_hz=settings.rate_hz,
            routes={role: route_to(address) for role, address in addresses.items()},
            camera_mbit=settings.link_mbit,
            shared_link=settings.shared_link,
        )
    height, width = setting.shape_hw
    bytes_on_disk = height * width * (2 if bit_depth(setting.pixel_format) > 8 else 1)
    seconds = 0.0
    if isinstance(takes, Sequence):
        seconds = sum(take.duration_s or take.pairs / settings.rate_hz for take in takes if take)
    require_disk(folder, 2 * bytes_on_disk * settings.rate_hz, seconds)
