"""What tests of the producer share: a peer that speaks GVCP, a client of the producer, network namespaces."""

import os
from collections.abc import Callable, Iterator

import gentl_control as gentl
import gvcp_peer as gvcp
import network_lab as network
import pytest

from twinlens.capture.producers import bundled_producer


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Iterator:
    with gvcp.control_peer() as camera:
        monkeypatch.setenv("TWINLENS_GEV_DEVICES", f"{camera.address}:{camera.port}")
        monkeypatch.setenv("TWINLENS_GEV_BROADCAST", "0")
        yield camera


@pytest.fixture
def client(peer) -> Iterator:  # noqa: ARG001 - the peer must be listed first
    with gentl.client(bundled_producer()) as opened:
        yield opened


@pytest.fixture
def make_lab(system_tool: Callable[[str, str], str]) -> Iterator[Callable]:
    for tool, package in (("ip", "iproute2"), ("unshare", "util-linux")):
        system_tool(tool, package)
    if not network.may_make_namespaces():
        if os.environ.get("CI") == "true":
            pytest.fail("network namespaces are not permitted: CI runs as root")
        pytest.skip("network namespaces need root")
    return network.lab
