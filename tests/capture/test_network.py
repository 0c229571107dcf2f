"""Over a cable between two network namespaces: broadcast discovery, packet sizes, ForceIP, action commands."""

import network_lab as network
import pytest

CAMERAS = """
import sys, threading
from twinlens.capture.virtual.serve import serve_rig
from twinlens.capture.virtual.twin import RigTwin, TwinSettings
twin, stop = RigTwin(TwinSettings(shape_hw=(240, 320), seed=5)), threading.Event()
twin.prerender(range(1))
threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
serve_rig((twin.view("a"), twin.view("b")), stop, addresses={addresses}, serials=("NA", "NB"),
          on_ready=lambda: print("ready", flush=True))
"""
STREAM = """
import json, os
os.environ["TWINLENS_GEV_DEVICES"] = ""
from harvesters.core import Harvester
from twinlens.capture.producers import bundled_producer
harvester = Harvester()
harvester.add_file(str(bundled_producer()))
harvester.update()
found = []
for index, info in enumerate(harvester.device_info_list):
    acquirer = harvester.create(index)
    nodes = acquirer.data_streams[0].node_map
    acquirer.start()
    frames = 0
    while frames < 3:
        buffer = acquirer.try_fetch(timeout=10)
        assert buffer is not None
        frames += 1
        buffer.queue()
    found.append([info.serial_number, nodes.StreamPacketSize.value, nodes.StreamLostPacketCount.value])
    acquirer.destroy()
harvester.reset()
print(json.dumps(found))
"""
CLIENT = """
import importlib.util, json, os, socket
os.environ["TWINLENS_GEV_DEVICES"] = ""
from twinlens.capture.producers import bundled_producer
spec = importlib.util.spec_from_file_location("gentl_control", {here!r} + "/gentl_control.py")
gentl = importlib.util.module_from_spec(spec)
spec.loader.exec_module(gentl)
def ip(number): return socket.inet_ntoa(number.to_bytes(4, "big"))
with gentl.client(bundled_producer()) as client:
    nodes = gentl.Nodes(client, client.interface)
"""
# A camera that lives in another subnet: it hears broadcasts and can only answer by broadcast.
STRAY = """
import importlib.util, json, os, socket, struct, sys
spec = importlib.util.spec_from_file_location("gvcp_peer", {here!r} + "/gvcp_peer.py")
gvcp = importlib.util.module_from_spec(spec)
spec.loader.exec_module(gvcp)
address, mask = "192.168.9.5", "255.255.255.0"
ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ear.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
ear.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"cable")
ear.bind(("", 3956))
print("ready", flush=True)
while True:
    datagram, peer = ear.recvfrom(2048)
    command, _size, request_id = struct.unpack_from(">HHH", datagram, 2)
    if not datagram[1] & 0x10:
        continue  # may not broadcast the answer
    if command == gvcp.FORCE_IP and datagram[10:16] == gvcp.MAC:
        address, mask = (socket.inet_ntoa(datagram[start:start + 4]) for start in (28, 44))
        answer = gvcp.acknowledge(command, request_id)
    elif command == gvcp.DISCOVERY:
        answer = gvcp.acknowledge(command, request_id, gvcp.identity("STRAY", address=address, mask=mask))
    else:
        continue
    ear.sendto(answer, ("255.255.255.255", peer[1]))
"""
# Counts the action commands that arrive, whichever way they came.
COUNTER = """
import importlib.util, json, os, socket, struct, sys, threading
spec = importlib.util.spec_from_file_location("gvcp_peer", {here!r} + "/gvcp_peer.py")
gvcp = importlib.util.module_from_spec(spec)
spec.loader.exec_module(gvcp)
seen = []
def live(own, serial, mac):
    while True:
        datagram, peer = own.recvfrom(2048)
        command, _size, request_id = struct.unpack_from(">HHH", datagram, 2)
        if command == gvcp.DISCOVERY:
            answer = gvcp.acknowledge(command, request_id, gvcp.identity(serial, mac=mac, address="10.77.0.2",
                                                                         mask="255.255.255.0"))
            own.sendto(answer, peer)
        elif command == gvcp.ACTION:
            seen.append(datagram.hex())
own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
own.bind(("", 3956))
threading.Thread(target=live, args=(own, "COUNTER", gvcp.MAC), daemon=True).start()
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps(seen), flush=True)
"""


@pytest.mark.parametrize(("mtu", "packet_size"), [(1500, 1500), (9000, 8000), (4000, 4000), (1400, 1400)])
def test_both_cameras_are_found_by_broadcast_and_stream(make_lab, mtu: int, packet_size: int) -> None:
    with make_lab(mtu) as lab:
        lab.start(lab.far, CAMERAS.format(addresses=network.CAMERA_ADDRESSES))
        assert lab.ask(lab.host, STREAM) == [["NA", packet_size, 0], ["NB", packet_size, 0]]


def test_a_camera_in_another_subnet_is_listed_and_given_an_address_that_fits(make_lab) -> None:
    program = (
        CLIENT
        + """
    before = [client.access_status(client.ids()[0]), ip(nodes.number("GevDeviceIPAddress")),
              nodes.number("GevDeviceIsReachable"), nodes.text("GevDeviceInterfaceName"),
              ip(nodes.number("GevInterfaceSubnetIPAddress")), f'{{nodes.number("GevDeviceMACAddress"):012x}}']
    refused = client.try_open()[0], client.last_error()
    number = lambda text: int.from_bytes(socket.inet_aton(text), "big")
    nodes.set("GevDeviceForceIPAddress", number("10.77.0.255"))
    nodes.set("GevDeviceForceSubnetMask", number("255.255.255.0"))
    broadcast_address = nodes.execute("GevDeviceForceIP")
    nodes.set("GevDeviceForceIPAddress", number("10.77.0.9"))
    forced = nodes.execute("GevDeviceForceIP")
    nodes.execute("DeviceUpdateList")
    after = [ip(nodes.number("GevDeviceIPAddress")), nodes.number("GevDeviceIsReachable")]
    print(json.dumps([before, refused, broadcast_address, forced, after]))
"""
    )
    with make_lab(1500) as lab:
        lab.start(lab.far, STRAY.format(here=str(network.HERE)))
        before, refused, broadcast_address, forced, after = lab.ask(
            lab.host, program.format(here=str(network.HERE))
        )
    assert before == [3, "192.168.9.5", 0, "cable", "10.77.0.1", "020000000007"]
    assert refused[0] == -1005
    assert "camera STRAY has the address 192.168.9.5" in refused[1]
    assert "cable (10.77.0.1, mask 255.255.255.0)" in refused[1]
    assert (broadcast_address, forced) == (-1019, 0)
    assert after == ["10.77.0.9", 1]


def test_an_action_command_reaches_a_camera_once(make_lab) -> None:
    program = (
        CLIENT
        + """
    nodes.set("ActionDeviceKey", 0x11223344)
    nodes.set("ActionGroupKey", 0x99)
    nodes.set("ActionGroupMask", 0xFFFFFFFF)
    sent = [nodes.execute("ActionCommand")]
    nodes.set("ActionScheduledTimeEnable", 1)
    nodes.set("ActionScheduledTime", 0x0102030405060708)
    sent.append(nodes.execute("ActionCommand"))
    print(json.dumps([client.ids(), sent]))
"""
    )
    with make_lab(1500) as lab:
        camera = lab.start(lab.far, COUNTER.format(here=str(network.HERE)))
        ids, sent = lab.ask(lab.host, program.format(here=str(network.HERE)))
        seen, _ = camera.communicate("end\n", timeout=10)
    assert ids == ["COUNTER-020000000007"]
    assert sent == [0, 0]
    keys = "1122334400000099ffffffff"
    assert network.json.loads(seen) == [
        "42000100000c0001" + keys,
        "4280010000140002" + keys + "0102030405060708",
    ]
