"""Train a network to read captchas: see --help."""

import sys

from ctc_ocr.cli.train import main

if __name__ == "__main__":
    sys.exit(main())
