"""What a link carries, against the arithmetic done by hand for the MER-530's full frame."""

import pytest

from twinlens.capture.link import Route, fitting_rate_hz, require_link_carries, require_rig_fits, wire_bytes
from twinlens.capture.pixel_formats import bytes_per_frame
from twinlens.errors import HostLimitError

FULL = (2048, 2592)
GIGABIT = 1e9


@pytest.mark.parametrize(
    ("pixel_format", "mtu", "wire_mbit", "fits_hz"),
    [
        ("Mono8", 1500, 892, 22.4),
        ("Mono8", 9000, 856, 23.35),
        ("Mono10", 1500, 1784, 11.2),
        ("Mono10", 9000, 1712, 11.68),
    ],
)
def test_a_full_frame_takes_what_was_computed_by_hand(
    pixel_format: str, mtu: int, wire_mbit: float, fits_hz: float
) -> None:
    payload = bytes_per_frame(pixel_format, FULL)
    assert wire_bytes(payload, mtu) * 8e-6 * 20 == pytest.approx(wire_mbit, abs=1)
    assert fitting_rate_hz(payload, packet_size=mtu, link_bits_per_s=GIGABIT) == pytest.approx(fits_hz, abs=0.05)
    assert fitting_rate_hz(
        payload, packet_size=mtu, link_bits_per_s=GIGABIT, cameras=2
    ) == pytest.approx(fits_hz / 2, abs=0.05)  # fmt: skip


def test_every_byte_on_the_wire_is_counted() -> None:
    leader, trailer = 36 + 36 + 38, 46 + 38
    assert wire_bytes(1464, 1500) == leader + 1500 + 38 + trailer
    assert wire_bytes(1465, 1500) == leader + 1500 + 38 + (46 + 38) + trailer  # a short packet is padded to 46
    assert wire_bytes(1464 + 100, 1500) == leader + 1500 + 38 + (136 + 38) + trailer
    with pytest.raises(ValueError, match="no room"):
        wire_bytes(1, 36)


def test_ten_bits_at_twenty_frames_are_refused_with_the_rate_that_fits() -> None:
    with pytest.raises(HostLimitError, match=r"1785 Mbit/s.*carries 1000: 11\.2 fps fit") as caught:
        require_link_carries("Mono10", FULL, rate_hz=20, mtu=1500, link_bits_per_s=GIGABIT)
    assert "rate_hz = 11.2" in caught.value.hint
    assert "Mono10p" in caught.value.hint
    require_link_carries("Mono10", FULL, rate_hz=11.2, mtu=1500, link_bits_per_s=GIGABIT)
    require_link_carries("Mono8", FULL, rate_hz=22.4, mtu=1500, link_bits_per_s=GIGABIT)
    require_link_carries("Mono10p", (512, 512), rate_hz=300, mtu=1500, link_bits_per_s=GIGABIT)


def test_packed_ten_bits_fit_where_padded_ones_do_not() -> None:
    fits = {
        name: fitting_rate_hz(bytes_per_frame(name, FULL), packet_size=9000, link_bits_per_s=GIGABIT)
        for name in ("Mono10", "Mono10Packed", "Mono10p")
    }
    assert fits == pytest.approx({"Mono10": 11.68, "Mono10Packed": 15.57, "Mono10p": 18.68}, abs=0.01)


def gigabit(interface: str, mtu: int = 1500, speed_mbit: int | None = 1000) -> Route:
    return Route(interface, mtu, speed_mbit)


def check(a: Route, b: Route, rate_hz: float, *, shared_link: bool = False, camera_mbit: int = 1000) -> None:
    require_rig_fits(
        "Mono8",
        FULL,
        rate_hz=rate_hz,
        routes={"a": a, "b": b},
        camera_mbit=camera_mbit,
        shared_link=shared_link,
    )


def test_two_cameras_on_one_port_share_it() -> None:
    check(gigabit("eth1"), gigabit("eth2"), 20)
    with pytest.raises(HostLimitError, match=r"2 cameras on one link.*11\.2 fps fit") as caught:
        check(gigabit("eth1"), gigabit("eth1"), 20)
    assert "port of its own" in caught.value.hint
    check(gigabit("eth1"), gigabit("eth1"), 11.2)


def test_a_fast_uplink_carries_both_and_a_switch_before_it_may_not() -> None:
    ten_gigabit = gigabit("eth1", speed_mbit=10_000)
    check(ten_gigabit, ten_gigabit, 20)
    with pytest.raises(HostLimitError, match=r"22\.4 fps fit"):
        check(ten_gigabit, ten_gigabit, 25)  # each camera's own port is the limit
    with pytest.raises(HostLimitError, match=r"11\.2 fps fit"):
        check(ten_gigabit, ten_gigabit, 20, shared_link=True)


def test_an_interface_that_tells_no_speed_still_has_the_cameras_own_limit() -> None:
    silent = gigabit("eth1", speed_mbit=None)
    check(silent, silent, 20)
    with pytest.raises(HostLimitError, match=r"22\.4"):
        check(silent, silent, 23)


def test_a_slow_port_of_this_computer_is_the_limit() -> None:
    with pytest.raises(HostLimitError, match=r"carries 100: 2\.2 fps fit"):
        check(gigabit("eth1"), gigabit("eth2", speed_mbit=100), 20)


def test_loopback_is_not_limited() -> None:
    loopback = Route("lo", 65536, None, is_loopback=True)
    check(loopback, loopback, 1000)
