"""The GenApi XML a camera carries: generated from the feature table, zipped as cameras deliver it."""

import io
import zipfile
from collections.abc import Iterable, Mapping
from xml.etree import ElementTree as ET

from twinlens.capture.virtual.bootstrap import Identity
from twinlens.capture.virtual.feature import Feature
from twinlens.capture.virtual.registers import Register

_NAMESPACE = "http://www.genicam.org/GenApi/Version_1_1"
_NODE_KIND = {
    "integer": "Integer",
    "float": "Float",
    "enumeration": "Enumeration",
    "boolean": "Boolean",
    "command": "Command",
}


def zipped(name: str, xml: bytes) -> bytes:
    """`xml` as the one file `name` of a ZIP archive; equal input gives equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0)), xml, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def genapi_xml(identity: Identity, features: Iterable[Feature], *, registers: Mapping[str, Register]) -> bytes:
    """The camera description of `features`, whose values lie in `registers`."""
    table = tuple(features)
    root = _root(identity)
    categories = tuple(dict.fromkeys(feature.category for feature in table))
    _category(root, "Root", categories)
    for category in categories:
        _category(root, category, [f.name for f in table if f.category == category])
    for feature in table:
        _feature(root, feature, registers[feature.register_name])
    ET.SubElement(root, "Port", {"Name": "Device", "NameSpace": "Standard"})
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _root(identity: Identity) -> ET.Element:
    return ET.Element(
        "RegisterDescription",
        {
            "ModelName": identity.model.replace("-", "_"),
            "VendorName": identity.vendor,
            "ToolTip": "A camera simulated by twinlens",
            "StandardNameSpace": "GEV",
            "SchemaMajorVersion": "1",
            "SchemaMinorVersion": "1",
            "SchemaSubMinorVersion": "0",
            "MajorVersion": "1",
            "MinorVersion": "0",
            "SubMinorVersion": "0",
            "ProductGuid": "6b7d1f0e-6d3c-4a58-9d5e-0f4e74776c31",
            "VersionGuid": "0d9a0a52-7a0f-4c43-8a11-3e2b74776c31",
            "xmlns": _NAMESPACE,
        },
    )


def _category(root: ET.Element, name: str, members: Iterable[str]) -> None:
    node = ET.SubElement(root, "Category", {"Name": name, "NameSpace": "Standard"})
    for member in members:
        _add(node, "pFeature", member)


def _feature(root: ET.Element, feature: Feature, register: Register) -> None:
    value_name = f"{feature.name}Reg"
    if feature.kind == "text":
        node = _node(root, "StringReg", feature)
        _place(node, register, access=feature.access)
        return
    node = _node(root, _NODE_KIND[feature.kind], feature)
    if feature.is_locked:
        _add(node, "pIsLocked", "TLParamsLocked")
    for name, value in feature.entries:
        entry = ET.SubElement(node, "EnumEntry", {"Name": name, "NameSpace": "Standard"})
        _add(entry, "Value", value)
    _add(node, "pValue", value_name)
    if feature.kind == "command":
        _add(node, "CommandValue", feature.command)
    elif feature.kind == "boolean":
        _add(node, "OnValue", 1)
        _add(node, "OffValue", 0)
    elif feature.kind in ("integer", "float"):
        _limits(root, node, feature)
    for selected in feature.selects:
        _add(node, "pSelected", selected)
    _register(root, value_name, feature, register)


def _limits(root: ET.Element, node: ET.Element, feature: Feature) -> None:
    is_integer = feature.kind == "integer"
    _add(node, "Min", int(feature.minimum) if is_integer else feature.minimum)
    if feature.remainder_of is not None:
        _add(node, "pMax", _remainder(root, feature.name, feature.remainder_of))
    elif not (is_integer and feature.length == 8):
        _add(node, "Max", int(feature.maximum) if is_integer else feature.maximum)
    if is_integer:
        _add(node, "Inc", feature.increment)
    if feature.unit:
        _add(node, "Unit", feature.unit)


def _remainder(root: ET.Element, name: str, whole_and_part: tuple[str, str]) -> str:
    limit_name = f"{name}Limit"
    node = ET.SubElement(root, "IntSwissKnife", {"Name": limit_name})
    for symbol, variable in zip(("WHOLE", "PART"), whole_and_part, strict=True):
        ET.SubElement(node, "pVariable", {"Name": symbol}).text = f"{variable}Reg"
    _add(node, "Formula", "WHOLE-PART")
    return limit_name


def _register(root: ET.Element, name: str, feature: Feature, register: Register) -> None:
    if feature.kind == "float":
        node = ET.SubElement(root, "FloatReg", {"Name": name})
        _place(node, register, access=feature.access)
        _add(node, "Endianess", "BigEndian")
        return
    node = ET.SubElement(root, "IntReg" if feature.bits is None else "MaskedIntReg", {"Name": name})
    _place(node, register, access=feature.access)
    if feature.bits is not None:
        # GenApi counts the bits of a big-endian register from its most significant one.
        low, high = feature.bits
        _add(node, "LSB", 31 - low)
        _add(node, "MSB", 31 - high)
    _add(node, "Sign", "Unsigned")
    _add(node, "Endianess", "BigEndian")


def _node(root: ET.Element, kind: str, feature: Feature) -> ET.Element:
    space = "Custom" if feature.name.startswith("Twin") else "Standard"
    node = ET.SubElement(root, kind, {"Name": feature.name, "NameSpace": space})
    if feature.about:
        _add(node, "ToolTip", feature.about)
    return node


def _place(node: ET.Element, register: Register, *, access: str) -> None:
    _add(node, "Address", f"0x{register.address:X}")
    _add(node, "Length", register.length)
    _add(node, "AccessMode", access)
    _add(node, "pPort", "Device")
    # Values depend on each other and the camera changes some of them: what a host cached would be stale.
    _add(node, "Cachable", "NoCache")


def _add(node: ET.Element, name: str, value: float | str) -> None:
    ET.SubElement(node, name).text = str(value)
