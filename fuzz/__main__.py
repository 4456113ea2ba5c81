"""The command: python -m fuzz [--inputs N] [--seed S] [TARGET ...]"""

import argparse
import sys
from pathlib import Path

from fuzz.child import GOOD
from fuzz.supervision import Report, fuzz
from fuzz.targets import TARGETS


def main(argv: list[str] | None = None) -> int:
    """Fuzz targets; returns 1 if anything but results and UserErrors came, 130 after Ctrl-C, with what was found."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of: {', '.join(TARGETS)} (default: all)")
    parser.add_argument("--inputs", type=int, default=1000, help="changed inputs of each target (default: 1000)")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other inputs (default: 0)")
    parser.add_argument("--first", type=int, default=0, help="number of the first input, to repeat one (default: 0)")
    parser.add_argument(
        "--out", type=Path, default=Path("build/fuzz"), help="folder for inputs that fail (default: build/fuzz)"
    )
    arguments = parser.parse_args(argv)
    if unknown := set(arguments.targets) - set(TARGETS):
        parser.error(f"no target {', '.join(sorted(unknown))}; there are: {', '.join(TARGETS)}")
    failed = False
    for target in arguments.targets or TARGETS:
        report = Report(target)
        try:
            fuzz(target, arguments.inputs, arguments.seed, arguments.out, arguments.first, report)
        except KeyboardInterrupt:
            print(f"{report}\ninterrupted", flush=True)
            return 130
        print(report, flush=True)
        failed = failed or any(kind not in GOOD for kind in report.counts)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
