"""Every error vidinfer raises on purpose.

::

    VidinferError
     ├── UsageError (ValueError)        wrong option, configuration or combination of them     exit 2
     ├── ModelUnavailable               a model or its weights cannot be had                   exit 3
     │    └── BackendUnavailable        a backend is not there, cannot take the model, or is inexact
     ├── SourceError (OSError)          a source cannot be opened, or holds no video           exit 1
     │    ├── SourceChanged             a file is not the one any more that was planned
     │    ├── PartUnlike                a stretch of a file is not what its packets promised (reaches no user)
     │    ├── SourceRefused             a stream says no (password, no such path): asking again soon is no use
     │    └── SourceUnreachable         nobody answers at a stream's address, or a camera may not be opened
     ├── ModelError (RuntimeError)      the model failed on a batch, or broke its contract     exit 1
     │    └── DeviceLost                what the model ran on is gone: no further batch can work
     ├── SinkError (OSError)            an output cannot be written                            exit 1
     ├── LabelError (ValueError)        a label file is damaged, or not what it should be      exit 1
     └── Interrupted                    the run was stopped from outside                       exit 130

    RingAborted                         the other end gave up (never reaches a user)

A message says what was given, what was expected and what to do, in one line.
"""

from __future__ import annotations

__all__ = [
    "BackendUnavailable",
    "DeviceLost",
    "Interrupted",
    "LabelError",
    "ModelError",
    "ModelUnavailable",
    "PartUnlike",
    "RingAborted",
    "SinkError",
    "SourceChanged",
    "SourceError",
    "SourceRefused",
    "SourceUnreachable",
    "UsageError",
    "VidinferError",
]


class VidinferError(Exception):
    """Root of the tree; ``exit_status`` is what the command line returns for it."""

    exit_status = 1


class UsageError(VidinferError, ValueError):
    """An option, a configuration file or a combination of them makes no sense."""

    exit_status = 2


class ModelUnavailable(VidinferError):
    """A model or its weights cannot be had: no such name, no network, a file that does not fit."""

    exit_status = 3


class BackendUnavailable(ModelUnavailable):
    """A backend is not installed, cannot take this model, or gives other results than the reference."""


class SourceError(VidinferError, OSError):
    """A source cannot be opened or holds no video that can be decoded."""


class SourceChanged(SourceError):
    """A file is not the one that was planned: it was written to since."""


class PartUnlike(SourceError):
    """A stretch of a file, decoded by itself, is not what it would be in the whole; the whole has to be decoded."""


class SourceRefused(SourceError):
    """The other end answered, and said no for a reason that only a person can remove (401, 403, 404)."""


class SourceUnreachable(SourceError):
    """Nobody answers where a stream should be: switched off, unplugged, not let in yet, or another address."""


class ModelError(VidinferError, RuntimeError):
    """The model raised, or gave results that its task does not allow."""


class DeviceLost(ModelError):
    """The GPU failed, and nothing more can run on it in this process."""


class SinkError(VidinferError, OSError):
    """An output cannot be created or written."""


class LabelError(VidinferError, ValueError):
    """A label file is damaged, cut short, of an unknown form, or does not fit the video it is said to be of."""


class Interrupted(VidinferError):
    """The run was stopped from outside; what was done until then is kept."""

    exit_status = 130


class RingAborted(Exception):
    """The other end of a ring or channel gave up: stop now, whoever aborted has the reason."""
