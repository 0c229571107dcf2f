"""A camera from power-up to power-down: sockets, control and firmware, all fresh."""

import logging
import selectors
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from twinlens.capture.virtual import discovery, gvcp
from twinlens.capture.virtual.bootstrap import Abilities, Identity
from twinlens.capture.virtual.camera_settings import VirtualCameraSettings
from twinlens.capture.virtual.control import Control, Deed, Peer
from twinlens.capture.virtual.faults import Faults
from twinlens.capture.virtual.firmware import Firmware, Surroundings
from twinlens.capture.virtual.gvcp import Command, RefusedError, Request, Status
from twinlens.capture.virtual.memory import power_up_memory
from twinlens.capture.virtual.sender import PacedSender
from twinlens.capture.virtual.source import ImageSource
from twinlens.errors import HostLimitError, SettingsError

log = logging.getLogger(__name__)

_TICK_S = 0.1
_SLOW_COMMANDS = ("AcquisitionStart", "UserSetLoad")


@dataclass(frozen=True, slots=True)
class Move:
    """A host's order to live at another address."""

    address: str
    unsaid: tuple[tuple[bytes, Peer], ...]
    """Acknowledges to send from there."""


class Body:
    """Everything of a camera that a power cut takes away."""

    def __init__(
        self,
        source: ImageSource,
        identity: Identity,
        *,
        port: int,
        settings: VirtualCameraSettings,
        faults: Faults,
        around: Surroundings,
        is_dead: Callable[[], bool],
    ) -> None:
        """Start answering once `listen` is called; `is_dead` tells at once when the power is gone.

        Raises:
            SettingsError: no such address.
            HostLimitError: address or port cannot be used.
        """
        self._identity, self._port, self._is_dead = identity, port, is_dead
        self._interface, netmask = discovery.interface_of(identity.address)
        self._move_to = ""
        self._unsaid: list[tuple[bytes, Peer]] = []
        abilities = Abilities(
            resend=faults.offers_resend,
            action=settings.offers_action,
            ptp=settings.offers_ptp,
            slow_command_ms=settings.slow_command_ms,
        )
        with ExitStack() as opened:
            self._own = opened.enter_context(discovery.control_socket(identity.address, port))
            self._ears = [opened.enter_context(ear) for ear in discovery.broadcast_sockets(self._interface, port)]
            self._selector = opened.enter_context(selectors.DefaultSelector())
            for ear in (self._own, *self._ears):
                self._selector.register(ear, selectors.EVENT_READ)
            sender = PacedSender(
                identity.address, bytes_per_s=settings.bytes_per_s, use_segmentation=settings.use_segmentation
            )
            opened.callback(sender.close)
            registers = power_up_memory(source, identity, netmask=netmask, abilities=abilities)
            self.firmware = Firmware(source, sender, registers, settings=settings, faults=faults, around=around)
            opened.callback(self.firmware.close)
            self._opened = opened.pop_all()
        deeds: dict[int, Deed] = {Command.FORCEIP: self._force_ip, Command.PACKETRESEND: self._resend}
        if abilities.action:
            deeds[Command.ACTION] = self._act
        self._control = Control(
            registers,
            on_owner_change=self.firmware.free,
            deeds=deeds,
            slow_addresses=frozenset(registers.address(name) for name in _SLOW_COMMANDS),
            faults=faults,
        )

    def close(self) -> None:
        """Vanish from the network."""
        self._opened.close()

    def listen(self) -> Move | None:
        """Answer what comes within a tick; what to do, if a host has ordered the camera to another address."""
        for key, _events in self._selector.select(_TICK_S):
            if isinstance(key.fileobj, socket.socket):
                self._hear(key.fileobj)
        if not self._is_dead():
            self._control.tick()
            self.firmware.tick()
        return Move(self._move_to, tuple(self._unsaid)) if self._move_to else None

    def say(self, answers: tuple[tuple[bytes, Peer], ...]) -> None:
        """Send answers that the camera owed when it was at another address."""
        for answer, peer in answers:
            try:
                self._own.sendto(answer, peer)
            except OSError as error:
                log.debug("camera %s: %s", self._identity.serial, error)

    def _hear(self, ear: socket.socket) -> None:
        try:
            datagram, peer, interface = discovery.receive(ear)
            if ear is not self._own and not self._is_for_me(datagram, interface):
                return
            for answer in self._control.answers(datagram, peer):
                if self._move_to:
                    self._unsaid.append((answer, peer))
                elif not self._is_dead():
                    self._own.sendto(answer, peer)
        except OSError as error:  # the host went away, or its network did; it will ask again
            log.debug("camera %s: %s", self._identity.serial, error)

    def _is_for_me(self, datagram: bytes, interface: int) -> bool:
        # With two links, a camera that answers on both is listed twice.
        is_here = self._interface in (0, interface)
        return is_here and not self._is_dead() and datagram[2:4] in _BROADCAST_COMMANDS

    def _resend(self, request: Request, peer: Peer) -> None:
        self.firmware.resend(request, peer[0])

    def _act(self, request: Request, _peer: Peer) -> bytes | None:
        return b"" if self.firmware.act(request) else None

    def _force_ip(self, request: Request, _peer: Peer) -> bytes | None:
        mac, address = gvcp.read_force_ip(request.payload)
        if mac != self._identity.mac:
            return None
        if self._control.owner is not None:
            raise RefusedError(Status.ACCESS_DENIED)
        if address != self._identity.address:
            try:
                discovery.control_socket(address, self._port).close()
            except (HostLimitError, SettingsError) as error:
                log.warning("cannot move: %s; only addresses of this computer are possible", error)
                raise RefusedError(Status.LOCAL_PROBLEM) from error
            self._move_to = address
        return b""


_BROADCAST_COMMANDS = tuple(
    code.to_bytes(2, "big") for code in (Command.DISCOVERY, Command.FORCEIP, Command.ACTION)
)
