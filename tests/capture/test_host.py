"""Facts about this computer, from itself and from /sys trees of computers that do not exist."""

from pathlib import Path

import pytest

from twinlens.capture import host
from twinlens.capture.interfaces import interface_towards, network_interfaces, route_to
from twinlens.errors import HostLimitError


def test_the_loopback_is_found_with_its_address_and_reaches_virtual_cameras() -> None:
    interfaces = network_interfaces()
    loopback = next(interface for interface in interfaces if interface.is_loopback)
    assert "127.0.0.1/8" in {str(address) for address in loopback.addresses}
    assert loopback.is_up
    assert loopback.mtu > 1500
    assert interface_towards("127.0.0.2", interfaces) == loopback
    assert route_to("127.0.0.2").is_loopback


def test_the_speed_of_a_port_and_its_filter_are_read_where_the_kernel_writes_them(tmp_path: Path) -> None:
    places = [("class/net/lo/speed", "100\n"), ("conf/all/rp_filter", "1\n"), ("conf/lo/rp_filter", "0\n")]
    for name, text in places:
        place = tmp_path / name.replace("conf", "sys/net/ipv4/conf")
        place.parent.mkdir(parents=True)
        place.write_text(text)
    loopback = next(found for found in network_interfaces(tmp_path, tmp_path) if found.name == "lo")
    assert (loopback.speed_mbit, loopback.reverse_path_filter) == (100, 1)
    (tmp_path / "class/net/lo/speed").write_text("-1\n")  # no cable
    assert next(i for i in network_interfaces(tmp_path, tmp_path) if i.name == "lo").speed_mbit is None


def test_an_address_without_a_route_is_refused() -> None:
    with pytest.raises(HostLimitError, match="reaches") as caught:
        route_to("255.255.255.255")  # no interface has it, and no route leads there without being asked to
    assert "doctor" in caught.value.hint


def test_governors_and_the_clock_are_read(tmp_path: Path) -> None:
    assert host.cpu_governors(tmp_path) == ()
    assert host.clock_source(tmp_path) == ("", ())
    for core, governor in enumerate(("powersave", "performance", "powersave")):
        place = tmp_path / f"devices/system/cpu/cpu{core}/cpufreq"
        place.mkdir(parents=True)
        (place / "scaling_governor").write_text(f"{governor}\n")
    assert host.cpu_governors(tmp_path) == ("performance", "powersave")
    place = tmp_path / "devices/system/clocksource/clocksource0"
    place.mkdir(parents=True)
    (place / "current_clocksource").write_text("hpet\n")
    (place / "available_clocksource").write_text("tsc hpet acpi_pm \n")
    assert host.clock_source(tmp_path) == ("hpet", ("tsc", "acpi_pm"))


def test_the_kernel_grants_what_is_asked_or_less() -> None:
    assert host.granted_receive_buffer(8192) == 8192
    assert host.granted_receive_buffer(1 << 30) < 1 << 30


def test_the_disk_probe_leaves_nothing_behind(tmp_path: Path) -> None:
    assert host.disk_rate(tmp_path / "not" / "there", size_bytes=1) > 0
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(HostLimitError, match="/proc cannot be written to"):
        host.disk_rate(Path("/proc/nothing"))


def test_a_recording_that_the_disk_cannot_take_is_refused_before_it_starts(tmp_path: Path) -> None:
    host.require_disk(tmp_path, 1e3, 10)
    with pytest.raises(HostLimitError, match=r"GB left, the recording takes 1000000\.0 GB") as caught:
        host.require_disk(tmp_path, 1e9, 1e6)
    assert "--out" in caught.value.hint
    with pytest.raises(HostLimitError, match=r"takes \d+ MB/s, the cameras send 100000000 MB/s"):
        host.require_disk(tmp_path, 1e14, 0)
    assert list(tmp_path.iterdir()) == []
