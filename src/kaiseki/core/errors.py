"""Errors shown to the user as one clear sentence, each class with the exit code of the command.

Anything that is not a `KaisekiError` is a defect of the program and is shown with its traceback.
"""


class KaisekiError(Exception):
    """Base of all errors that a user can act upon.

    The message is one sentence: which file or record, what was expected, what to do.
    `exit_code` is what the `kaiseki` command returns to the shell.
    """

    exit_code: int = 1


class ConfigError(KaisekiError, ValueError):
    """The experiment file or a command-line option is wrong.

    It is a `ValueError` too, so that a check within a section is reported with the place of the section in the file.
    """

    exit_code = 2


class InputError(KaisekiError):
    """An input file or record cannot be used as it is."""

    exit_code = 3


class StoreError(KaisekiError):
    """A run store or release store cannot be opened, locked or written."""

    exit_code = 4


class NumericsError(KaisekiError):
    """The model or the minimisation left the range of sensible numbers."""

    exit_code = 5


class ResourceError(KaisekiError):
    """Memory, disk, time or a device is not enough for what was asked."""

    exit_code = 6


class InstallationError(KaisekiError):
    """A package is not installed that the command needs."""


FAULTS_FOUND = 7
"""Exit code of a command that did its work and found faults in what it examined."""

INTERRUPTED = 130
"""Exit code after an interrupt from the keyboard (128 + SIGINT, the shell's custom)."""
