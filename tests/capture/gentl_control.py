"""A GenTL client for the control half: system, interface, device, port and events, in ctypes."""

import ctypes
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IO, TIMEOUT, ABORT, NOT_IMPLEMENTED, ACCESS_DENIED, INVALID_VALUE = -1010, -1011, -1012, -1003, -1005, -1019
EVENT_ERROR, EVENT_NEW_BUFFER, EVENT_MODULE = 0, 1, 5
READ_ONLY, CONTROL, EXCLUSIVE = 2, 3, 4


class Client:
    """The producer with its interface open and its cameras listed."""

    def __init__(self, path: Path) -> None:
        self.library = ctypes.CDLL(str(path))
        self.system, self.interface = ctypes.c_void_p(), ctypes.c_void_p()
        self.call("GCInitLib")
        self.call("TLOpen", ctypes.byref(self.system))
        self.call("TLOpenInterface", self.system, b"twinlens_gev_0", ctypes.byref(self.interface))
        self.update()

    def call(self, name: str, *arguments: object) -> None:
        code = getattr(self.library, name)(*arguments)
        assert code == 0, f"{name}: {code}, {self.last_error()}"

    def last_error(self) -> str:
        code, size, text = ctypes.c_int32(), ctypes.c_size_t(1024), ctypes.create_string_buffer(1024)
        self.library.GCGetLastError(ctypes.byref(code), text, ctypes.byref(size))
        return text.value.decode()

    def update(self) -> None:
        self.call("IFUpdateDeviceList", self.interface, None, ctypes.c_uint64(1000))

    def ids(self) -> list[str]:
        count = ctypes.c_uint32()
        self.call("IFGetNumDevices", self.interface, ctypes.byref(count))
        found = []
        for index in range(count.value):
            text, size = ctypes.create_string_buffer(64), ctypes.c_size_t(64)
            self.call("IFGetDeviceID", self.interface, index, text, ctypes.byref(size))
            found.append(text.value.decode())
        return found

    def access_status(self, name: str) -> int:
        value, size = ctypes.c_int32(), ctypes.c_size_t(4)
        target = (None, ctypes.byref(value), ctypes.byref(size))
        self.call("IFGetDeviceInfo", self.interface, name.encode(), 5, *target)
        return value.value

    def try_open(self, access: int = EXCLUSIVE) -> tuple[int, ctypes.c_void_p]:
        """(error code, device handle) of opening the first camera."""
        device = ctypes.c_void_p()
        first = self.ids()[0].encode()
        return self.library.IFOpenDevice(self.interface, first, access, ctypes.byref(device)), device

    def open(self, access: int = EXCLUSIVE) -> ctypes.c_void_p:
        code, device = self.try_open(access)
        assert code == 0, self.last_error()
        return device

    def port(self, device: ctypes.c_void_p) -> ctypes.c_void_p:
        """The camera's registers."""
        port = ctypes.c_void_p()
        self.call("DevGetPort", device, ctypes.byref(port))
        return port

    def try_read(self, port: ctypes.c_void_p, address: int, size: int) -> tuple[int, bytes]:
        data, length = ctypes.create_string_buffer(size), ctypes.c_size_t(size)
        code = self.library.GCReadPort(port, ctypes.c_uint64(address), data, ctypes.byref(length))
        return code, data.raw

    def read(self, port: ctypes.c_void_p, address: int, size: int = 4) -> bytes:
        code, data = self.try_read(port, address, size)
        assert code == 0, self.last_error()
        return data

    def url_number(self, port: ctypes.c_void_p, command: int, *, index: int = 0) -> int:
        value, size = ctypes.c_uint64(0), ctypes.c_size_t(8)
        self.call("GCGetPortURLInfo", port, index, command, None, ctypes.byref(value), ctypes.byref(size))
        return value.value

    def url_text(self, port: ctypes.c_void_p, command: int, *, index: int = 0) -> str:
        text, size = ctypes.create_string_buffer(1024), ctypes.c_size_t(1024)
        self.call("GCGetPortURLInfo", port, index, command, None, text, ctypes.byref(size))
        return text.value.decode()

    def register_event(self, source: ctypes.c_void_p, kind: int) -> ctypes.c_void_p:
        event = ctypes.c_void_p()
        self.call("GCRegisterEvent", source, kind, ctypes.byref(event))
        return event

    def wait(self, event: ctypes.c_void_p, timeout_ms: int) -> tuple[int, bytes]:
        """(error code, event data) of EventGetData."""
        data, size = ctypes.create_string_buffer(512), ctypes.c_size_t(512)
        code = self.library.EventGetData(event, data, ctypes.byref(size), ctypes.c_uint64(timeout_ms))
        return code, data.raw[: size.value] if code == 0 else b""

    def event_value(self, event: ctypes.c_void_p, data: bytes) -> bytes:
        text, size = ctypes.create_string_buffer(512), ctypes.c_size_t(512)
        asked = (event, data, ctypes.c_size_t(len(data)), 1, None, text, ctypes.byref(size))
        self.call("EventGetDataInfo", *asked)
        return text.raw[: size.value]


class Nodes:
    """The numbers of a module's node map, by name: addresses are read out of its XML."""

    def __init__(self, client: Client, module: ctypes.c_void_p) -> None:
        self._client, self._module = client, module
        url, size = ctypes.create_string_buffer(512), ctypes.c_size_t(512)
        client.call("GCGetPortURL", module, url, ctypes.byref(size))
        _name, address, length = url.value.decode().split(";")
        xml = client.read(module, int(address, 16), int(length, 16)).decode()
        nodes = re.findall(r'<(?:IntReg|StringReg) Name="(\w+)".*?<Address>(0x\w+)</Address>', xml, re.DOTALL)
        self._addresses = {name: int(place, 16) for name, place in nodes}

    def number(self, name: str) -> int:
        return int(struct.unpack("<q", self._client.read(self._module, self._addresses[name], 8))[0])

    def text(self, name: str) -> str:
        return self._client.read(self._module, self._addresses[name], 256).split(b"\0")[0].decode()

    def set(self, name: str, value: int) -> None:
        code = self.try_set(name, value)
        assert code == 0, self._client.last_error()

    def try_set(self, name: str, value: int) -> int:
        size = ctypes.c_size_t(8)
        address = ctypes.c_uint64(self._addresses[name])
        data = struct.pack("<q", value)
        return int(self._client.library.GCWritePort(self._module, address, data, ctypes.byref(size)))

    def execute(self, name: str) -> int:
        return self.try_set(f"{name}Reg", 1)


@contextmanager
def client(path: Path) -> Iterator[Client]:
    opened = Client(path)
    try:
        yield opened
    finally:
        opened.call("GCCloseLib")
