"""The command `franca`: ask and chat, check endpoints and settings, count and price, serve.

Exit statuses: 0, done; 1, something failed (a call, an endpoint of `check`, a model that does not
load); 2, wrong usage, or settings that cannot be used; 130, ended with Ctrl-C (which is the only
end of `limits --watch` and of the servers, and 0 there).
"""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper


def main() -> None:
    """Run the command line in `sys.argv` and exit with its status."""
    _complete_streams()
    for stream, errors in ((sys.stdin, "replace"), (sys.stdout, "backslashreplace")):
        if isinstance(stream, TextIOWrapper):  # a terminal may lack what a model writes
            stream.reconfigure(errors=errors)
    try:
        from franca.cli.app import app

        app(prog_name="franca")
    except KeyboardInterrupt:  # while still importing
        sys.exit(130)


def _complete_streams() -> None:
    """Nothing in the place of a stream that the caller has closed, whose number the next file that
    is opened would get: to read there is no end to wait for, and what is written is lost."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
