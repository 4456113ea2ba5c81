"""Print what a model reads in images: see --help."""

import sys

from ctc_ocr.cli.infer import main

if __name__ == "__main__":
    sys.exit(main())
