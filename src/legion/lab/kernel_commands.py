"""Runs `ip` and `tc`."""

import subprocess
from collections.abc import Sequence

from legion.errors import InputError, InternalError

_TIMEOUT_S = 20.0


def run_tool(words: Sequence[str]) -> str:
    """What a command prints.

    Raises InputError when it is not installed, InternalError, with its complaint, when it fails.
    """
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=_TIMEOUT_S)  # noqa: S603
    except FileNotFoundError as exc:
        raise InputError(f"{words[0]} is not installed; install iproute2, or set network to transport") from exc
    except subprocess.CalledProcessError as exc:
        raise InternalError(f"{' '.join(words)} failed: {exc.stderr.strip()}") from exc
    except subprocess.TimeoutExpired as exc:
        raise InternalError(f"{' '.join(words)} did not end within {_TIMEOUT_S:g} s") from exc
    return done.stdout
