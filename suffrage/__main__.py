"""`python -m suffrage` is the command `suffrage`."""

import sys

from suffrage.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
