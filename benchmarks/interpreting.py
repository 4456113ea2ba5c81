"""The memory of `ctc-ocr interpret`: `python -m benchmarks.interpreting MODEL SOURCE ...`, such as the model and the
packs that `python -m benchmarks.kuzushiji` makes; a source may be named twice, for more images.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import table

LIMIT_MB = 500
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MXNET_OMP_MAX_THREADS": "1"}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.interpreting", description="The memory of ctc-ocr interpret.")
    parser.add_argument("model", metavar="MODEL", help="of ctc-ocr")
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="labelled images")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="ctc_ocr-interpreting-") as folder:
        start = time.monotonic()
        command = ["-m", "ctc_ocr", "interpret", "--model", options.model, "--out", folder, "--no_maps"]
        subprocess.run([sys.executable, *command, *options.sources], env=ENVIRONMENT, check=True, capture_output=True)
        seconds = time.monotonic() - start
        found = json.loads((Path(folder) / "interpretation.json").read_text(encoding="utf-8"))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    rows = [
        ["images", f"{found['num_samples']:,}"],
        ["read correctly", f"{found['num_correct']:,}"],
        ["minutes", f"{seconds / 60:.1f}"],
        ["peak of memory", f"{peak:.0f} MB (aim: below {LIMIT_MB})"],
    ]
    print(table(("what", "figure"), rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
