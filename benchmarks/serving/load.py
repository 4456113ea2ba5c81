"""A process that loads a server: `python -m benchmarks.serving.load PORT IMAGES CONNECTIONS COUNT`, where IMAGES is a
folder. It prints a line of JSON: what was found."""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.serving.client import Load, multipart_request, run_load
from benchmarks.serving.servers import ROOT


def load(port: int, images: Path, connections: int, count: int) -> Load:
    """In a process of its own."""
    command = [sys.executable, "-m", "benchmarks.serving.load", str(port), str(images), str(connections), str(count)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    return Load(**{**found, "statuses": {int(status): number for status, number in found["statuses"].items()}})


def main(argv: list[str]) -> None:
    port, images, connections, count = int(argv[0]), Path(argv[1]), int(argv[2]), int(argv[3])
    requests = [multipart_request("/read", [path.read_bytes()]) for path in sorted(images.glob("*.png"))]
    print(json.dumps(asdict(asyncio.run(run_load(port, requests, None, connections, count)))))


if __name__ == "__main__":
    main(sys.argv[1:])
