"""`ctc-ocr serve` beside a plain server: `python -m benchmarks.serving MODEL... --images DIR`.

For each model, in one run: requests per second, and the 50th and 99th percentile of their time, with 1, 8, 32 and 128
connections, and where a request's time goes. The plain server is measured with one thread for its network and with as
many as the runtime chooses; the faster one is the baseline. The load comes from another process. With --checked, many
requests whose every answer is checked instead, with a SIGTERM in the middle; with --abuse, what should be refused.
"""

import argparse
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks.common import Row, comparison, row, table
from benchmarks.serving.abuse import abused
from benchmarks.serving.client import Load
from benchmarks.serving.correctness import checked
from benchmarks.serving.load import load
from benchmarks.serving.servers import Server, ours, plain

CONNECTIONS = (1, 8, 32, 128)
TARGET = 1.5  # at 32 connections
WARM_UP = 64
STAGES = ("waiting", "decoding_image", "network", "decoding_text")
Started = Callable[[], AbstractContextManager[Server]]


def measured(model: Path, images: Path, count: int, rounds: int) -> tuple[list[Row], list[list[str]]]:
    """The comparison, and the parts of a request's time."""
    servers: dict[str, Started] = {
        "ours": lambda: ours(model),
        "plain, 1 thread": lambda: plain(model, 1),
        "plain, the runtime's threads": lambda: plain(model, None),
    }
    found: dict[tuple[str, int], list[Load]] = {}
    parts = []
    for _ in range(rounds):
        for name, started in servers.items():
            with started() as server:
                load(server.port, images, 8, WARM_UP)
                for connections in CONNECTIONS:
                    before = server.cpu_seconds(), server.metrics() if name == "ours" else {}
                    one = load(server.port, images, connections, count)
                    found.setdefault((name, connections), []).append(one)
                    if name == "ours":
                        cpu = server.cpu_seconds() - before[0]
                        parts.append(_parts(connections, one, cpu, before[1], server.metrics()))
    return [each for connections in CONNECTIONS for each in _rows(model, connections, found)], parts


def _rows(model: Path, connections: int, found: dict[tuple[str, int], list[Load]]) -> list[Row]:
    plains = [loads for (name, number), loads in found.items() if number == connections and name != "ours"]
    baseline = max(plains, key=lambda loads: max(each.rate for each in loads))
    mine = found["ours", connections]
    where = f"{model.stem}, {connections} connections"
    return [
        row(f"{where}: requests", "requests/s", [each.rate for each in mine], [each.rate for each in baseline], TARGET),
        *(
            row(
                f"{where}: percentile {percent}", "ms", [each.percentile(percent) for each in mine],
                [each.percentile(percent) for each in baseline], 1.0,
            )
            for percent in (50, 99)
        ),
    ]  # fmt: skip


def _parts(connections: int, found: Load, cpu: float, before: dict[str, float], after: dict[str, float]) -> list[str]:
    """Milliseconds of a request: in all, in each stage, and the rest: HTTP, the bodies and their answers."""

    def rise(what: str, name: str) -> float:
        full = f'ctc_ocr_stage_seconds_{what}{{stage="{name}"}}'
        return after[full] - before.get(full, 0.0)

    count, mean = len(found.seconds), 1000 * sum(found.seconds) / len(found.seconds)
    batches = rise("count", "network")
    # An image waits for its whole batch.
    stages = [1000 * rise("sum", name) / rise("count", name) for name in STAGES]
    values = [mean, *stages, mean - sum(stages), 1000 * cpu / count, count / batches]
    return [str(connections), *(f"{each:.2f}" for each in values)]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.serving", description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL")
    parser.add_argument("--images", type=Path, required=True, metavar="DIR", help="PNG files that are sent")
    parser.add_argument("--requests", type=int, default=2000, metavar="N", help="of each measurement (default: 2000)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each measurement (default: 3)")
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--checked", type=int, metavar="N", help="check the answers of N requests instead")
    modes.add_argument("--abuse", type=int, metavar="N", help="make N attempts of each kind of abuse instead")
    options = parser.parse_args(argv)
    for model in options.models:
        if options.checked:
            print(f"{model.stem}: {checked(model, options.images, options.checked)}")
        elif options.abuse:
            sample = next(iter(sorted(options.images.glob("*.png")))).read_bytes()
            print(f"{model.stem}\n\n{abused(model, sample, options.abuse)}\n")
        else:
            rows, parts = measured(model, options.images, options.requests, options.rounds)
            head = ("connections", "ms", *STAGES, "the rest", "CPU ms", "images per batch")
            print(f"{comparison(rows)}\n\n{model.stem}, where the time goes:\n\n{table(head, parts)}\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
