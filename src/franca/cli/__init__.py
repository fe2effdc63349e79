"""The command `franca`: serve a local model, show the library at work, check endpoints, limits.

Exit statuses: 0, done; 1, something failed (an endpoint of `check`, a model that does not load);
2, wrong usage, or settings that cannot be used; 130, ended with Ctrl-C (which is the only end of
`limits --watch`, and 0 there).
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line in `sys.argv` and exit with its status."""
    try:
        from franca.cli.app import app

        app(prog_name="franca")
    except KeyboardInterrupt:  # while still importing
        sys.exit(130)
