"""The control channel of the producer when the network or the camera misbehaves, and when the camera goes away."""

import io
import random
import struct
import threading
import zipfile
from collections.abc import Callable

import gentl_control as gentl
import gvcp_peer as gvcp
import pytest

URL_TEXT, URL_ADDRESS, URL_SIZE, URL_SCHEME, URL_NAME = 0, 7, 8, 9, 10


def only(command: int, answers: Callable) -> Callable:
    """A hook that tampers with the answers to one command."""
    return lambda code, request_id, payload, right: (
        answers(request_id, payload, right) if code == command else [right]
    )


# --- one command


def test_a_pending_acknowledge_is_waited_for_without_a_repeat(peer, client) -> None:
    port = client.port(client.open())
    timers = []

    def slowly(request_id: int, payload: bytes, right: bytes) -> list[bytes]:
        if payload != struct.pack(">I", 0x5000):
            return [right]
        client_end = peer.last_from
        timers.append(threading.Timer(1.0, lambda: peer.send(right, client_end)))
        timers[-1].start()
        return [gvcp.pending(request_id, 1500)]

    peer.registers[0x5000] = 0xCAFE
    peer.hook = only(gvcp.READ_REGISTER, slowly)
    assert client.read(port, 0x5000) == b"\0\0\xca\xfe"
    # One try takes 0.4 s, so without the extension the command would have been repeated.
    assert len(timers) == 1


def test_a_device_that_promises_and_never_answers_is_given_up(peer, client) -> None:
    port = client.port(client.open())
    peer.hook = only(gvcp.READ_MEMORY, lambda request_id, _payload, _right: [gvcp.pending(request_id, 50)])
    code, _data = client.try_read(port, 0x5000, 16)
    assert code == gentl.IO
    assert "no answer to READMEM 0x00005000" in client.last_error()
    assert client.read(port, gvcp.CCP) == b"\0\0\0\1"  # it answers other commands, so it is not lost


def test_late_and_repeated_answers_belong_to_nobody(peer, client) -> None:
    port = client.port(client.open())
    stale: list[bytes] = []

    def everything_again(_command: int, _id: int, _payload: bytes, right: bytes) -> list[bytes]:
        answers = [*stale, right, right]
        stale[:] = [right]
        return answers

    peer.hook = everything_again
    for value in range(1, 20):
        peer.registers[0x5000 + 4 * value] = value
        assert client.read(port, 0x5000 + 4 * value) == value.to_bytes(4, "big")


@pytest.mark.parametrize(
    "damage",
    [
        lambda right: right[:6],
        lambda right: right[:-1],
        lambda right: right + b"\0",
        lambda _right: b"",
        lambda _right: b"\xff" * 600,
    ],
)
def test_a_datagram_that_contradicts_its_header_is_no_answer(peer, client, damage) -> None:
    port = client.port(client.open())
    first: list[int] = []

    def damaged_once(request_id: int, payload: bytes, right: bytes) -> list[bytes]:
        if first or payload != struct.pack(">I", 0x5000):
            return [right]
        first.append(request_id)
        return [damage(right)]

    peer.registers[0x5000] = 7
    peer.hook = only(gvcp.READ_REGISTER, damaged_once)
    assert client.read(port, 0x5000) == b"\0\0\0\7"
    again = [request[1] for request in peer.requests if request[2] == struct.pack(">I", 0x5000)]
    assert again == first * 2


def test_an_answer_of_the_wrong_size_is_refused(peer, client) -> None:
    port = client.port(client.open())
    peer.hook = only(
        gvcp.READ_MEMORY,
        lambda request_id, _payload, _right: [gvcp.acknowledge(gvcp.READ_MEMORY, request_id, bytes(8))],
    )
    code, _data = client.try_read(port, 0x5000, 16)
    assert code == gentl.IO
    assert "READMEM 0x00005000 answered 8 bytes, 20 needed" in client.last_error()


def test_blocks_shrink_for_a_camera_that_takes_only_short_ones(peer, client) -> None:
    port = client.port(client.open())
    data = bytes(range(256)) * 8
    peer.memory[0x9000] = data
    peer.largest_read = 100
    assert client.read(port, 0x9000, len(data)) == data
    assert client.read(port, 0x9003, 501) == data[3:504]


# --- the description


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (0x41A30000, "Local:MER2_GIGE.zip;{address:x};{size:x}"),
        (0xFFFE0000, "local:///MER2_GIGE.zip;0x{address:X};{size:X}?SchemaVersion=1.1.0"),
    ],
)
@pytest.mark.parametrize("odd_bytes", [0, 1, 2, 3])
def test_a_zipped_description_at_a_high_address_is_read(
    peer, client, address: int, url: str, odd_bytes: int
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("MER2_GIGE.xml", random.Random(5).randbytes(3000))
        archive.comment = b"?" * (4 + odd_bytes)
    data = packed.getvalue()
    peer.memory[address] = data
    peer.memory[gvcp.FIRST_URL] = url.format(address=address, size=len(data)).encode()
    port = client.port(client.open())
    assert client.url_number(port, URL_ADDRESS) == address
    assert client.url_number(port, URL_SIZE) == len(data)
    assert client.url_text(port, URL_NAME) == "MER2_GIGE.zip"
    with zipfile.ZipFile(io.BytesIO(client.read(port, address, len(data)))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["MER2_GIGE.xml"]


@pytest.mark.parametrize(
    "url", ["", "Local:", "Local:a.xml", "Local:a.xml;;", "Local:a.xml;-5;10", "Local:;10;10", "Local:a.xml;10;0"]
)
def test_a_url_without_a_place_is_refused(peer, client, url: str) -> None:
    peer.memory[gvcp.FIRST_URL] = url.encode()
    port = client.port(client.open())
    with pytest.raises(AssertionError, match=r"does not say where|no URL number 0"):
        client.url_number(port, URL_ADDRESS)


def test_a_url_of_512_characters_ends_there(peer, client) -> None:
    peer.memory[gvcp.FIRST_URL] = b"Local:" + b"x" * 506
    peer.memory[0x0400] = b"http://example.org/camera.zip"
    port = client.port(client.open())
    assert client.url_text(port, URL_TEXT) == "Local:" + "x" * 506
    assert client.url_number(port, URL_SCHEME, index=1) == 1
