"""Writes the seed corpus of each fuzz target: one file for each path worth starting from.

python fuzz/make_corpus.py
"""

import struct
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"
DATAGRAM, URL, EXCHANGE = b"\0", b"\1", b"\2"
MATCHING = 0xC0
"""fuzz/gvcp.c fills in the request id and the length."""


def _acknowledge(code: int, payload: bytes, *, status: int = 0) -> bytes:
    return struct.pack(">HHHH", status, code, len(payload), 1) + payload


def _answers(*datagrams: bytes) -> bytes:
    return b"".join(bytes([MATCHING | len(each) >> 8, len(each) & 0xFF]) + each for each in datagrams)


def _exchange(deed: int, *datagrams: bytes, address: int = 0x41A30000, size: int = 16) -> bytes:
    return EXCHANGE + struct.pack(">IHB", address, size, deed) + _answers(*datagrams)


def _identity() -> bytes:
    data = bytearray(248)
    data[10:16], data[36:40], data[52:56] = b"\2T\1\2\3\4", b"\x0a\x4d\0\2", b"\xff\xff\xff\0"
    for place, text in ((72, b"twinlens"), (104, b"MER-530"), (136, b"1.0"), (216, b"VA0001"), (232, b"a")):
        data[place : place + len(text)] = text
    return bytes(data)


def gvcp_seeds() -> dict[str, bytes]:
    """Acknowledges, URLs, and exchanges with the answers that end them."""
    pending = _acknowledge(0x89, struct.pack(">HH", 0, 700))
    register, memory = _acknowledge(0x81, b"\0\0\0\7"), _acknowledge(0x85, b"\x41\xa3\0\0" + bytes(16))
    return {
        "discovery": DATAGRAM + _acknowledge(3, _identity()),
        "pending": DATAGRAM + pending,
        "refusal": DATAGRAM + _acknowledge(0x81, b"", status=0x8006),
        "url_zip": URL + b"Local:MER2_GIGE_V2.5.4.zip;41a30000;8810",
        "url_query": URL + b"local:///a.xml;0xFFFE0000;1A2B?SchemaVersion=1.1.0",
        "url_http": URL + b"http://example.org/a.xml",
        "url_file": URL + b"file:///c|program%20files/a.xml?SchemaVersion=1.0.0",
        "read_register": _exchange(0, register),
        "read_after_pending": _exchange(0x80, pending, pending, register),
        "read_silence": _exchange(0x80),
        "read_memory": _exchange(2, memory),
        "read_odd": _exchange(3, _acknowledge(0x85, b"\x41\xa3\0\0" + bytes(8)), address=0x41A30001, size=5),
        "read_smaller_blocks": _exchange(
            2, *[_acknowledge(0x85, b"", status=0x8002)] * 3, _acknowledge(0x85, bytes(68)), size=600
        ),
        "write": _exchange(1, _acknowledge(0x87, b"\0\0\0\x10")),
        "other_answers": _exchange(0, _acknowledge(0x83, b"\0\0\0\1"), register[:6], register),
    }


def _pool(*sizes: int, choice: int, packet_size: int) -> bytes:
    """What fuzz/stream_pool.h reads: four buffers, options, the packet size."""
    return struct.pack(">4HBH", *(size - 1 for size in sizes), choice, packet_size - 128)


def _leader(block: int, *, width: int, height: int, extended: bool = False) -> bytes:
    fields = struct.pack(">HHQIIIIIHH", 0, 1, block, 0x01080001, width, height, 0, 0, 0, 0)
    return _header(1, block, 0, extended=extended) + fields


def _header(kind: int, block: int, packet: int, *, extended: bool = False) -> bytes:
    if extended:
        return struct.pack(">HHIQI", 0, 0, (0x80 | kind) << 24, block, packet)
    return struct.pack(">HHI", 0, block, kind << 24 | packet)


def _image(block: int, *, stride: int, width: int = 40, height: int = 10, extended: bool = False) -> list[bytes]:
    size = width * height
    parts = [min(stride, size - start) for start in range(0, size, stride)]
    return [
        _leader(block, width=width, height=height, extended=extended),
        *(
            _header(3, block, number, extended=extended) + bytes([number] * part)
            for number, part in enumerate(parts, 1)
        ),
        _header(2, block, len(parts) + 1, extended=extended) + struct.pack(">HHI", 0, 1, height),
    ]


def gvsp_seeds() -> dict[str, bytes]:
    """Frames as raw datagrams (deed 0), with the deeds of fuzz/gvsp.c between them."""

    def raw(*datagrams: bytes) -> bytes:
        return b"".join(bytes([0, len(each)]) + each for each in datagrams)

    plain, asking, few = (_pool(400, 400, 100, 8000, choice=choice, packet_size=136) for choice in (0, 1, 2))
    frame, wide = _image(1, stride=100), _image(5, stride=88, extended=True)
    frames = [packet for block in (65534, 65535, 1, 2) for packet in _image(block, stride=100)]
    land, requeue, later, discard, ask = b"\x24", b"\x05", b"\xfe", b"\x07", b"\x17"
    return {
        "frame": plain + raw(*frame),
        "frame_extended": plain + raw(*wide),
        "reversed": asking + raw(*reversed(frame)),
        "twice": plain + raw(*frame, *frame),
        "wrap": plain + raw(*frames) + requeue,
        "lost": asking + raw(frame[0], frame[2], frame[4]) + ask + later + ask + later,
        "no_leader": asking + raw(*frame[1:]) + later * 9,
        "landed": plain + raw(frame[0]) + land + raw(*frame[3:]),
        "discarded": plain + raw(*frame[:3]) + discard + raw(*_image(2, stride=100)),
        "three_frames": few + raw(*frames),
        "shaped": asking + bytes.fromhex("01 01 07 00 09 00 28 0a") + bytes.fromhex("02 03 07 01") * 3 + later,
        "forsaken": asking + raw(frame[0], frame[2], struct.pack(">HHI", 0x800C, 1, 3 << 24 | 1)) + later,
    }


def batch_seeds() -> dict[str, bytes]:
    """Frames as single messages, as messages of many packets, from strangers, cut off and out of order."""

    def message(datagrams: list[bytes], control: int = 0) -> bytes:
        joined = b"".join(datagrams)
        return struct.pack(">BH", control, len(joined)) + joined

    pool = _pool(400, 400, 100, 8000, choice=1, packet_size=136 + 20)  # packets of 128 bytes with their header
    frame, second = _image(1, stride=120), _image(2, stride=120)
    merged = 4 | (128 >> 5) << 3
    singles = [message([packet]) for packet in frame]
    return {
        "singles": pool + b"".join(singles),
        "merged": pool + singles[0] + b"\xff" + message(frame[1:4], merged) + b"".join(singles[4:]),
        "merged_twice": pool + (singles[0] + b"\xff" + message(frame[1:], merged)) * 2,
        "shuffled": pool + singles[0] + b"\xff" + b"".join(reversed(singles[1:])),
        "shuffled_merged": pool + singles[0] + b"\xff" + message([frame[2], frame[1], frame[3]], merged),
        "stranger": pool + singles[0] + b"\xff" + message([frame[1]], 1) + b"".join(singles[1:]),
        "cut_off": pool + singles[0] + b"\xff" + message([frame[1]], 2) + b"".join(singles[2:]),
        "two_frames": pool + b"".join(singles) + b"\xff" + b"".join(message([packet]) for packet in second),
        "extended": pool + b"".join(message([packet]) for packet in _image(9, stride=108, extended=True)),
    }


def main() -> None:
    for target, seeds in (("gvcp", gvcp_seeds()), ("gvsp", gvsp_seeds()), ("batch", batch_seeds())):
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in seeds.items():
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
