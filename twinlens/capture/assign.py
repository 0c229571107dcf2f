"""Which cameras are there, and which of them is A."""

from pathlib import Path

from twinlens.capture.genicam import CameraInfo, Producer
from twinlens.capture.producers import find_producer
from twinlens.capture.rig_file import RigSettings, override, read_rig_file, write_rig_file
from twinlens.errors import CameraNotFoundError


def list_cameras(producer: str | None) -> tuple[CameraInfo, ...]:
    """Every camera that answers through a producer.

    Raises:
        CameraNotFoundError: none does.
    """
    path = find_producer(producer)
    with Producer(path) as opened:
        found = opened.cameras()
    if not found:
        raise CameraNotFoundError(
            f"no camera answered through {path.name}; at least one is needed",
            hint="check power, cable and subnet, list addresses in TWINLENS_GEV_DEVICES, "
            "or start the virtual rig with 'twinlens simulate'",
        )
    return found


def assign_cameras(
    rig_file: Path, found: tuple[CameraInfo, ...], *, a: str, b: str, producer: str | None
) -> RigSettings:
    """Write which serial is A and which is B into the rig file, keeping its other settings.

    Raises:
        CameraNotFoundError: one of the two did not answer.
    """
    serials = [info.serial for info in found]
    for role, serial in (("A", a), ("B", b)):
        if serial not in serials:
            raise CameraNotFoundError(
                f"camera {role}: {serial} did not answer; found: {', '.join(serials)}",
                hint="give two of the serial numbers found",
            )
    known = read_rig_file(rig_file) if rig_file.exists() else RigSettings()
    settings = override(known, {"a": a, "b": b, "producer": producer})
    write_rig_file(rig_file, settings)
    return settings
