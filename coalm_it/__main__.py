"""`python -m coalm_it`, and the command `coalm-it`."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line; Ctrl-C while its modules are still being imported ends it as it does later."""
    try:
        from coalm_it.cli import app
    except KeyboardInterrupt:
        sys.exit(130)
    app(prog_name="coalm-it")


if __name__ == "__main__":
    main()
