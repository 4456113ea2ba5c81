"""Machines that are none: network namespaces of this one, with a delay between them. Needs root, and Linux.

Each node has an address of its own and a TUN device. A relay passes packets from one to the other after a delay, and
counts their bytes. Nothing has a name: all is gone with the threads and processes.
"""

import ctypes
import fcntl
import heapq
import os
import queue
import select
import struct
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
MTU = 60_000  # bytes; large packets: the relay is written in Python


def can_make_networks() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0 and Path("/dev/net/tun").exists()


class Node:
    """A network namespace with an address. A thread is in it, and so is what the thread starts."""

    def __init__(self, address: str, mtu: int = MTU) -> None:
        self.address, self._mtu = address, mtu
        self._calls: queue.Queue[tuple[tuple[Any, ...], dict[str, Any], queue.Queue[Any]] | None] = queue.Queue()
        ready: queue.Queue[Any] = queue.Queue()
        threading.Thread(target=self._live, args=(ready,), name=address, daemon=True).start()
        self.tun = _result(ready)

    def start(self, command: Sequence[str], environment: Mapping[str, str], **options: Any) -> "subprocess.Popen[str]":
        """A process in the namespace; `options` as of Popen."""
        answer: queue.Queue[Any] = queue.Queue()
        self._calls.put(((command,), {"env": environment, "text": True, **options}, answer))
        process: subprocess.Popen[str] = _result(answer)
        return process

    def close(self) -> None:
        self._calls.put(None)

    def _live(self, ready: "queue.Queue[Any]") -> None:
        try:
            if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN | IFF_NO_PI))
            for command in (
                "link set lo up", f"address add {self.address}/24 dev tun0", f"link set tun0 up mtu {self._mtu}",
            ):  # fmt: skip
                subprocess.run(["ip", *command.split()], check=True, capture_output=True)
        except BaseException as error:
            ready.put(error)
            return
        ready.put(tun)
        while (call := self._calls.get()) is not None:
            arguments, options, answer = call
            try:
                answer.put(subprocess.Popen(*arguments, **options))
            except BaseException as error:
                answer.put(error)
        os.close(tun)


class Networks:
    """Nodes with these numbers of addresses 10.77.0.x, with `delay` seconds on the way from one to another: the round
    trip is twice that. Packets have up to `mtu` bytes. `num_bytes` were sent between them."""

    def __init__(self, numbers: Sequence[int], delay: float = 0.0, mtu: int = MTU) -> None:
        self.delay, self.num_bytes = delay, 0
        self.nodes = [Node(f"10.77.0.{number}", mtu) for number in numbers]
        self._tuns = {bytes(map(int, node.address.split("."))): node.tun for node in self.nodes}
        self._ended = threading.Event()
        self._relay = threading.Thread(target=self._pass_on, name="relay", daemon=True)
        self._relay.start()

    def __enter__(self) -> "Networks":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._relay.join()
        for node in self.nodes:
            node.close()

    def _pass_on(self) -> None:
        waiting: list[tuple[float, int, bytes]] = []
        count = 0
        while not self._ended.is_set():
            timeout = max(0.0, waiting[0][0] - time.monotonic()) if waiting else 0.2
            for tun in select.select(list(self._tuns.values()), [], [], timeout)[0]:
                packet = os.read(tun, MTU + 100)
                if packet[0] >> 4 == 4:  # IPv4
                    count += 1
                    self.num_bytes += len(packet)
                    heapq.heappush(waiting, (time.monotonic() + self.delay, count, packet))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, packet = heapq.heappop(waiting)
                target = self._tuns.get(packet[16:20])
                if target is not None:
                    os.write(target, packet)


def _result(answers: "queue.Queue[Any]") -> Any:
    answer = answers.get()
    if isinstance(answer, BaseException):
        raise answer
    return answer
