"""Two computers in one: network namespaces joined by a cable, and programs that run in them. Needs root."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HOST_ADDRESS, CAMERA_ADDRESSES = "10.77.0.1", ("10.77.0.2", "10.77.0.3")


def may_make_namespaces() -> bool:
    """Whether this user may; root in some containers may not."""
    return subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode == 0


class Lab:
    """A host and a camera computer with a cable of `mtu` between them."""

    def __init__(self, mtu: int) -> None:
        self.host, self.far = f"tl{os.getpid()}h", f"tl{os.getpid()}c"
        self._running: list[subprocess.Popen[str]] = []
        _ip("netns", "add", self.host)
        _ip("netns", "add", self.far)
        _ip("link", "add", "cable", "netns", self.host, "type", "veth", "peer", "name", "cable", "netns", self.far)
        for name, addresses in ((self.host, [HOST_ADDRESS]), (self.far, CAMERA_ADDRESSES)):
            _ip("-n", name, "link", "set", "lo", "up")
            for address in addresses:
                _ip("-n", name, "address", "add", f"{address}/24", "broadcast", "10.77.0.255", "dev", "cable")
            _ip("-n", name, "link", "set", "cable", "mtu", str(mtu), "up")

    def start(self, namespace: str, program: str) -> subprocess.Popen[str]:
        """A Python program in a namespace; waits for the line "ready"."""
        process = subprocess.Popen(
            [*_inside(namespace), program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def ask(self, namespace: str, program: str) -> Any:
        """What a Python program in a namespace prints as JSON on its last line."""
        done = subprocess.run(
            [*_inside(namespace), program], capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def close(self) -> None:
        for process in self._running:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        for name in (self.host, self.far):
            _ip("netns", "delete", name)


def _inside(namespace: str) -> list[str]:
    return ["ip", "netns", "exec", namespace, sys.executable, "-c"]


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@contextlib.contextmanager
def lab(mtu: int) -> Iterator[Lab]:
    built = Lab(mtu)
    try:
        yield built
    finally:
        built.close()


HERE = Path(__file__).parent
