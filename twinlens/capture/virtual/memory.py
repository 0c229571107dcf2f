"""A camera's memory at power-up: its registers, and the XML that describes them."""

from twinlens.capture.virtual import bootstrap, features, genapi
from twinlens.capture.virtual.bootstrap import Abilities, Identity
from twinlens.capture.virtual.feature import feature_registers
from twinlens.capture.virtual.registers import RegisterFile
from twinlens.capture.virtual.source import ImageSource

_FILE_ADDRESS = 0x41A3_0000
_FILE_NAME = "twinlens_virtual_1_0_0"


def power_up_memory(
    source: ImageSource, identity: Identity, *, netmask: str, abilities: Abilities
) -> RegisterFile:
    """The registers of a camera with this sensor."""
    height, width = source.shape_hw
    if width % features.WIDTH_STEP or height % features.HEIGHT_STEP or width < features.WIDTH_MIN:
        raise ValueError(
            f"sensor is {height} x {width} px; the height must be a multiple of {features.HEIGHT_STEP}, the width"
            f" of {features.WIDTH_STEP} and at least {features.WIDTH_MIN}"
        )
    table = features.feature_table(
        source.shape_hw,
        scene_count=source.scene_count,
        mirror_state_count=source.mirror_state_count,
        offers_action=abilities.action,
        offers_ptp=abilities.ptp,
    )
    own = feature_registers(table)
    plain = bootstrap.bootstrap_registers(identity, netmask=netmask, url="", abilities=abilities)
    by_name = {register.name: register for register in (*plain, *own)}
    file = genapi.zipped(f"{_FILE_NAME}.xml", genapi.genapi_xml(identity, table, registers=by_name))
    url = f"Local:{_FILE_NAME}.zip;{_FILE_ADDRESS:x};{len(file):x}"
    registers = bootstrap.bootstrap_registers(identity, netmask=netmask, url=url, abilities=abilities)
    return RegisterFile((*registers, *own), file_address=_FILE_ADDRESS, file=file)
