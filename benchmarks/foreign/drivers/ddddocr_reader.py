"""Reads images with ddddocr, in its own environment: paths on stdin, one per line; their texts on stdout, in order."""

import sys
from pathlib import Path

import ddddocr

reader = ddddocr.DdddOcr(show_ad=False)
for path in sys.stdin.read().splitlines():
    print(reader.classification(Path(path).read_bytes()).replace("\n", " "))
