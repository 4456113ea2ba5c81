"""Which processes share a training, and where they meet, in the environment variables of MXNet's key-value store.

ps-lite, the parameter server inside MXNet, knows three roles. Workers train. Servers add what workers send. One
scheduler knows the addresses of all. It reads the variables when a key-value store is made.
"""

import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from ctc_ocr.errors import InputError, RunError

ROLES = ("scheduler", "server", "worker")
LOOPBACK = "127.0.0.1"
HEARTBEAT_SECONDS = 1  # between two signs of life to the scheduler
LOST_SECONDS = 10  # without one: the process, its machine or the way to it is gone
CHECK_SECONDS = 1.0  # between two looks at who is lost
CHECKS = 2  # in a row: in the moment in which a process has come, ps-lite may take it for lost
ROLE, HOST, PORT = "DMLC_ROLE", "DMLC_PS_ROOT_URI", "DMLC_PS_ROOT_PORT"
NUM_WORKERS, NUM_SERVERS, NODE_HOST = "DMLC_NUM_WORKER", "DMLC_NUM_SERVER", "DMLC_NODE_HOST"
# With these, which a pod of Kubernetes may have, ps-lite would not listen at the address that it is given.
SWITCHED_OFF = {"DMLC_USE_KUBERNETES": "0", "DMLC_LOCAL": "0"}
MAX_PROCESSES = 10_000
PORTS = range(10_000, 32_768)  # below those that systems give to connections
MOST_TRIED = 100  # ports: so many that all of them are taken by chance on no machine


@dataclass(frozen=True)
class Cluster:
    """`host` and `port`: where the scheduler listens. `node_host`: the address of this machine at which its process
    listens; None for the one that ps-lite finds."""

    host: str
    port: int
    num_workers: int
    num_servers: int = 1
    node_host: str | None = None

    @property
    def address(self) -> str:
        """HOST:PORT of the scheduler."""
        return f"{self.host}:{self.port}"

    def environment(self, role: str) -> dict[str, str]:
        """The variables of a process with this role."""
        given = {
            ROLE: role,
            HOST: self.host,
            PORT: str(self.port),
            NUM_WORKERS: str(self.num_workers),
            NUM_SERVERS: str(self.num_servers),
            "PS_HEARTBEAT_INTERVAL": str(HEARTBEAT_SECONDS),
            "PS_HEARTBEAT_TIMEOUT": str(LOST_SECONDS),
        }
        if self.node_host is not None:
            given[NODE_HOST] = self.node_host
        return given | SWITCHED_OFF if self.host == self.node_host == LOOPBACK else given


def on_this_machine(port: int, num_workers: int) -> Cluster:
    """All processes on one machine. They listen on the loopback interface, which other machines do not reach."""
    return Cluster(LOOPBACK, port, num_workers, node_host=LOOPBACK)


def free_port() -> int:
    """A port of the loopback interface for a scheduler, which binds it a second later. Until then, one that the system
    chooses could be given to any connection, a server's or a worker's among them. Raises RunError if none can be
    used, as where there is no loopback interface."""
    reason = ""
    for _ in range(MOST_TRIED):
        port = secrets.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError as error:
                reason = error.strerror or str(error)
                continue
            return port
    raise RunError(f"no port can be used, at which several workers would meet: {reason}", LOOPBACK)


def cluster_of(environment: Mapping[str, str] = os.environ) -> tuple[str, Cluster]:
    """(role, cluster) of this process, from the variables that a launcher has set.

    Raises InputError that names a variable which is missing or has another value than is accepted.
    """
    role = _value(environment, ROLE)
    if role not in ROLES:
        raise InputError(f"expected {', '.join(ROLES)}, got {role!r}", ROLE)
    port, num_workers, num_servers = (_integer(environment, name) for name in (PORT, NUM_WORKERS, NUM_SERVERS))
    return role, Cluster(_value(environment, HOST), port, num_workers, num_servers, environment.get(NODE_HOST))


def _value(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        needed = ", ".join((ROLE, HOST, PORT, NUM_WORKERS, NUM_SERVERS))
        raise InputError(f"not set; a training of several processes needs the environment variables {needed}", name)
    return value


def _integer(environment: Mapping[str, str], name: str) -> int:
    text, largest = _value(environment, name), 65535 if name == PORT else MAX_PROCESSES
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= largest):
        raise InputError(f"expected a number from 1 to {largest}, got {text!r}", name)
    return int(text)
