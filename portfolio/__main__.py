"""`python -m portfolio` is the command `portfolio`."""

import sys

from portfolio.cli import main

if __name__ == "__main__":
    sys.exit(main())
