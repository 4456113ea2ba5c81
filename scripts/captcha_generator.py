"""Write one captcha, or many with their labels: see --help."""

import sys

from ctc_ocr.cli.generate import main

if __name__ == "__main__":
    sys.exit(main())
