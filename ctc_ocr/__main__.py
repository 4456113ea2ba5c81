"""python -m ctc_ocr: the same as the command ctc-ocr."""

import sys

from ctc_ocr.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
