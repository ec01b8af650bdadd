"""Ctrl-C while a script still imports: one line and code 130. A script that is run imports this
first; cli.run_main gives Ctrl-C its usual meaning back."""

import os
import signal
from typing import Any


def end(number: int, frame: Any) -> None:
    """Ends the process at once: nothing was begun, and an exception could come up anywhere in what
    is being imported."""
    os.write(2, b"interrupted\n")
    os._exit(130)


if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else Ctrl-C is ignored
    signal.signal(signal.SIGINT, end)
