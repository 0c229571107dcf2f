"""The binary interface of twinlens_gev.cti: what it exports, and how it treats a client's mistakes."""

import ctypes
import enum
import re
from collections.abc import Iterator
from importlib import resources

import pytest
from genicam import gentl

from twinlens.capture.producers import bundled_producer

FUNCTIONS = re.findall(
    r"\w+",
    """
    GCInitLib GCCloseLib GCGetInfo GCGetLastError GCReadPort GCWritePort GCReadPortStacked
    GCWritePortStacked GCGetPortURL GCGetNumPortURLs GCGetPortURLInfo GCGetPortInfo GCRegisterEvent
    GCUnregisterEvent EventGetData EventGetDataInfo EventGetInfo EventFlush EventKill TLOpen TLClose
    TLGetInfo TLGetNumInterfaces TLGetInterfaceID TLGetInterfaceInfo TLOpenInterface
    TLUpdateInterfaceList IFClose IFGetInfo IFGetParentTL IFGetNumDevices IFGetDeviceID
    IFUpdateDeviceList IFGetDeviceInfo IFOpenDevice DevGetPort DevGetParentIF DevGetNumDataStreams
    DevGetDataStreamID DevOpenDataStream DevGetInfo DevClose DSClose DSGetInfo DSGetParentDev
    DSStartAcquisition DSStopAcquisition DSAnnounceBuffer DSAllocAndAnnounceBuffer DSRevokeBuffer
    DSQueueBuffer DSFlushQueue DSGetBufferID DSGetBufferInfo DSGetBufferChunkData DSGetNumBufferParts
    DSGetBufferPartInfo
    """,
)
NOT_INITIALIZED, NOT_IMPLEMENTED, IN_USE, INVALID_HANDLE, INVALID_PARAMETER, TOO_SMALL, INVALID_ID = (
    -1002, -1003, -1004, -1006, -1009, -1016, -1007,
)  # fmt: skip


@pytest.fixture
def library() -> Iterator[ctypes.CDLL]:
    """The producer, initialised."""
    loaded = ctypes.CDLL(str(bundled_producer()))
    assert loaded.GCInitLib() == 0
    yield loaded
    loaded.GCCloseLib()


@pytest.fixture
def system(library: ctypes.CDLL) -> ctypes.c_void_p:
    handle = ctypes.c_void_p()
    assert library.TLOpen(ctypes.byref(handle)) == 0
    return handle


def last_error(library: ctypes.CDLL) -> str:
    code, size, text = ctypes.c_int32(), ctypes.c_size_t(512), ctypes.create_string_buffer(512)
    assert library.GCGetLastError(ctypes.byref(code), text, ctypes.byref(size)) == 0
    return text.value.decode()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_of_gentl_1_5_is_exported(name: str) -> None:
    assert hasattr(ctypes.CDLL(str(bundled_producer())), name)


def test_our_constants_are_those_of_the_genicam_package() -> None:
    header = (resources.files("twinlens.capture.native") / "gentl_abi.h").read_text()
    theirs = {
        name: member.value
        for group in vars(gentl).values()
        if isinstance(group, enum.EnumMeta)
        for name, member in group.__members__.items()
    }
    ours = dict(_enumerators(header))
    assert len(ours) > 150
    assert {name: value for name, value in ours.items() if theirs[name] != value} == {}


def _enumerators(header: str) -> Iterator[tuple[str, int]]:
    """C's rule: an enumerator without a value is one more than the one before it."""
    for body in re.findall(r"enum \{(.*?)\}", re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL), flags=re.DOTALL):
        value = -1
        for entry in (entry.strip() for entry in body.split(",") if entry.strip()):
            name, _, given = entry.partition("=")
            value = int(given) if given else value + 1
            yield name.strip(), value


def test_the_library_and_the_system_open_once(library: ctypes.CDLL, system: ctypes.c_void_p) -> None:
    assert library.GCInitLib() == IN_USE
    assert library.TLOpen(ctypes.byref(ctypes.c_void_p())) == IN_USE
    assert "already" in last_error(library)
    assert library.TLClose(system) == 0
    assert library.TLOpen(ctypes.byref(ctypes.c_void_p())) == 0


def test_nothing_opens_before_initialisation() -> None:
    loaded = ctypes.CDLL(str(bundled_producer()))
    assert loaded.TLOpen(ctypes.byref(ctypes.c_void_p())) == NOT_INITIALIZED
    assert loaded.GCCloseLib() == NOT_INITIALIZED


def test_a_handle_that_was_closed_is_refused(library: ctypes.CDLL, system: ctypes.c_void_p) -> None:
    assert library.TLClose(system) == 0
    count = ctypes.c_uint32()
    assert library.TLGetNumInterfaces(system, ctypes.byref(count)) == INVALID_HANDLE
    assert library.TLClose(system) == INVALID_HANDLE


@pytest.mark.parametrize("handle", [0, 1, 0xDEADBEEF, 2**64 - 1])
def test_an_invented_handle_is_refused_by_every_function(library: ctypes.CDLL, handle: int) -> None:
    wanted = [
        name
        for name in FUNCTIONS
        if name not in ("GCInitLib", "GCCloseLib", "GCGetInfo", "GCGetLastError", "TLOpen")
    ]
    room = ctypes.create_string_buffer(64)
    for name in wanted:
        function = getattr(library, name)
        assert function(ctypes.c_void_p(handle), room, room, room, room, room, room) == INVALID_HANDLE, name


def test_a_handle_of_another_kind_is_refused(library: ctypes.CDLL, system: ctypes.c_void_p) -> None:
    assert library.DSClose(system) == INVALID_HANDLE
    assert library.IFClose(system) == INVALID_HANDLE


def test_closing_the_library_closes_what_it_holds(library: ctypes.CDLL, system: ctypes.c_void_p) -> None:
    interface = ctypes.c_void_p()
    assert library.TLOpenInterface(system, b"twinlens_gev_0", ctypes.byref(interface)) == 0
    assert library.GCCloseLib() == 0
    assert library.GCInitLib() == 0
    assert library.IFClose(interface) == INVALID_HANDLE


def test_an_info_tells_its_size_first_and_refuses_a_small_buffer(
    library: ctypes.CDLL, system: ctypes.c_void_p
) -> None:
    kind, size = ctypes.c_int32(), ctypes.c_size_t(0)
    asked = (system, gentl.TL_INFO_CMD_LIST.TL_INFO_VENDOR, ctypes.byref(kind))
    assert library.TLGetInfo(*asked, None, ctypes.byref(size)) == 0
    assert (kind.value, size.value) == (gentl.INFO_DATATYPE_LIST.INFO_DATATYPE_STRING, len("twinlens") + 1)
    text = ctypes.create_string_buffer(size.value)
    assert library.TLGetInfo(*asked, text, ctypes.byref(size)) == 0
    assert text.value == b"twinlens"
    assert library.TLGetInfo(*asked, text, ctypes.byref(ctypes.c_size_t(3))) == TOO_SMALL
    assert library.TLGetInfo(*asked, text, None) == INVALID_PARAMETER
    assert library.TLGetInfo(system, 4711, None, None, ctypes.byref(size)) == NOT_IMPLEMENTED


def test_an_unknown_interface_is_named_in_the_error(library: ctypes.CDLL, system: ctypes.c_void_p) -> None:
    interface = ctypes.c_void_p()
    assert library.TLOpenInterface(system, b"elsewhere", ctypes.byref(interface)) == INVALID_ID
    assert "twinlens_gev_0" in last_error(library)


def test_a_bad_list_of_cameras_is_an_error_that_quotes_it(
    library: ctypes.CDLL, system: ctypes.c_void_p, monkeypatch: pytest.MonkeyPatch
) -> None:
    interface = ctypes.c_void_p()
    assert library.TLOpenInterface(system, b"twinlens_gev_0", ctypes.byref(interface)) == 0
    for list_of_cameras in ("127.0.0.2,camera.local", "127.0.0.2:0", "127.0.0.2:70000", "127.0.0.2:12x"):
        monkeypatch.setenv("TWINLENS_GEV_DEVICES", list_of_cameras)
        assert library.IFUpdateDeviceList(interface, None, ctypes.c_uint64(10)) == INVALID_PARAMETER
        assert list_of_cameras.split(",")[-1] in last_error(library)


def test_an_empty_list_of_cameras_finds_none_at_once(
    library: ctypes.CDLL, system: ctypes.c_void_p, monkeypatch: pytest.MonkeyPatch
) -> None:
    interface, count = ctypes.c_void_p(), ctypes.c_uint32(9)
    assert library.TLOpenInterface(system, b"twinlens_gev_0", ctypes.byref(interface)) == 0
    monkeypatch.setenv("TWINLENS_GEV_DEVICES", "")
    monkeypatch.setenv("TWINLENS_GEV_BROADCAST", "0")
    assert library.IFUpdateDeviceList(interface, None, ctypes.c_uint64(2**64 - 1)) == 0
    assert library.IFGetNumDevices(interface, ctypes.byref(count)) == 0
    assert count.value == 0
