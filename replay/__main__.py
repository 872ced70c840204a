"""The door from a shell: `replay`, and `python -m replay`."""

import os
import sys

from replay.cli import run


def main() -> None:
    """Run the command line and exit with its code."""
    # Arrow's own pools keep what they were given; the system's gives it back. Measured: 35 MB less, as fast.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
