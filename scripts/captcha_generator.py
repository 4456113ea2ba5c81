"""Write one captcha, or many with their labels: see --help.

Works in a checkout, whether or not the package is installed.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ctc_ocr.cli.generate import main

if __name__ == "__main__":
    sys.exit(main())
