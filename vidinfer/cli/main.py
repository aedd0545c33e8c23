"""``vidinfer``: choose the command, turn errors into one line and an exit status."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module

from vidinfer.cli.say import last_words, say_raw
from vidinfer.cli.signals import INTERRUPTED, NOTHING_YET, ignore_signals_at_exit
from vidinfer.cli.streams import open_missing_streams, silence_closed_streams
from vidinfer.errors import VidinferError

__all__ = ["main"]

_COMMANDS = ("probe", "plan", "models", "doctor", "tune", "bench", "export", "render", "status", "run")
"""Each is a function in the module of its name."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0 done; 1 something was damaged or failed; 2 wrong usage; 3 no model or weights; 130 interrupted.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    open_missing_streams()
    # torch reads it once: fresh memory in huge pages spares a batch up to a third of its time.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    # At its end Python would look through all that torch has made for what could be freed, which takes a second.
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
    ignore_signals_at_exit()
    try:
        status = _command(arguments)(arguments)
        sys.stdout.flush()
    except VidinferError as error:
        return _fail(error, error.exit_status, arguments)
    except KeyboardInterrupt:
        say_raw(last_words(NOTHING_YET, INTERRUPTED, arguments))
        return INTERRUPTED
    except BrokenPipeError:
        status = 0  # whoever read our output has what they wanted
    except Exception as error:
        return _fail(error, 1, arguments)
    finally:
        silence_closed_streams()
    return status


def _command(arguments: list[str]) -> Callable[[Sequence[str]], int]:
    """The command that ``arguments`` begin with, taken off them; ``run`` where they name none."""
    name = arguments[0] if arguments else ""
    if name not in _COMMANDS:
        name = "run"
    else:
        del arguments[0]
    command: Callable[[Sequence[str]], int] = getattr(import_module(f"vidinfer.cli.{name}"), name)
    return command


def _fail(error: Exception, status: int, arguments: Sequence[str]) -> int:
    """Say what went wrong: one line, or with ``-v`` where."""
    if any(argument in ("-v", "--verbose") for argument in arguments):
        traceback.print_exception(error)
    text = str(error)
    if not isinstance(error, VidinferError):
        text = (
            f"a bug in vidinfer: {type(error).__name__}: {text}; run again with -v and report what it prints"
        )
    say_raw(last_words(text, status, arguments))
    return status
