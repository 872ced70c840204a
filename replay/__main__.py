"""The door from a shell: `replay`, and `python -m replay`."""

import sys

from replay.cli import run


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
