"""`python -m portfolio.release` is the command `portfolio-release`."""

import sys

from portfolio.release.cli import main

if __name__ == "__main__":
    sys.exit(main())
