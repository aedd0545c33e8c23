"""``python -m vidinfer``."""

import sys

from vidinfer.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
