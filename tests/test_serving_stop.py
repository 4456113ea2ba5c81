"""How a server ends: what was accepted is answered, and nothing is left."""

import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.servers import MULTIPART, STARTER, RunningServer, all_of, metrics, multipart, received, serving

SAMPLE = ("a.png", (Path(__file__).resolve().parent.parent / "docs" / "sample.png").read_bytes())
SECONDS = 60


class Client(threading.Thread):
    """Sends requests one after another, on one connection while that lasts, until the server does not listen."""

    def __init__(self, server: RunningServer, number: int) -> None:
        super().__init__()
        self.server, self.number = server, number
        self.answered, self.broken = 0, 0
        self.wrong: list[object] = []

    def run(self) -> None:
        images = [(f"{self.number}-{index}.png", SAMPLE[1]) for index in range(1 + self.number % 3)]
        connection = self.server.connect()
        while True:
            try:
                connection.connect() if connection.sock is None else None
            except OSError:
                return
            try:
                connection.request("POST", "/read", multipart(images), {"Content-Type": MULTIPART})
                answer = received(connection)
            except OSError:
                self.broken += 1
                connection.close()
                continue
            found = [(each["image"], each["text"]) for each in answer.readings] if answer.status == 200 else answer
            if found != [(name, "0089") for name, _ in images]:
                self.wrong.append(found)
            self.answered += 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_was_accepted_is_answered(number: signal.Signals) -> None:
    with serving(STARTER, "--threads=2") as server:
        clients = [Client(server, each) for each in range(8)]
        for each in clients:
            each.start()
        while sum(each.answered for each in clients) < 20:
            time.sleep(0.01)
        status, said = server.stop(number)
        for each in clients:
            each.join(SECONDS)
        assert (status, said) == (0, "")
        assert [each.wrong for each in clients] == [[]] * len(clients)
        assert [each.broken for each in clients] == [0] * len(clients)
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", server.port))


def test_a_request_that_is_arriving_is_answered_and_a_second_signal_ends_at_once() -> None:
    body = multipart([SAMPLE])
    head = f"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Type: {MULTIPART}\r\nContent-Length: {len(body)}\r\n\r\n"
    with serving(STARTER) as server, server.socket() as first, server.socket() as second:
        for each in (first, second):
            each.sendall(head.encode() + body[:-10])
        while metrics(server)["ctc_ocr_pending_bytes"] < 2 * (len(body) - 10):
            time.sleep(0.01)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        assert server.process.poll() is None
        first.sendall(body[-10:])
        assert b'"text":"0089"' in all_of(first)
        assert server.process.poll() is None
        assert server.stop(signal.SIGTERM) == (-signal.SIGTERM, "")
