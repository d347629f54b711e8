"""Entry point of the command: errors become one line and an exit code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from kaiseki.cli.installed import explain
from kaiseki.core.errors import INTERRUPTED, ConfigError, KaisekiError
from kaiseki.core.interrupt import interruptible


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    A `KaisekiError` is one line on standard error (with --json also an object on standard output); an interrupt gives
    130; anything else is a defect and keeps its traceback.

    Args:
        arguments: what follows the name of the command; by default that of the process.
    """
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    _print_every_name(sys.stdout)
    try:
        with interruptible():
            code = _dispatch(tokens)
        sys.stdout.flush()
    except KaisekiError as error:
        return _fail(error, as_json="--json" in tokens)
    except ImportError as error:
        # What `need` could not foresee; an import that fails for another reason is a defect.
        missing = explain(error, " ".join(["kaiseki", *tokens[:1]]))
        if missing is None:
            raise
        return _fail(missing, as_json="--json" in tokens)
    except KeyboardInterrupt:
        print("kaiseki: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone, as in `kaiseki config schema | head`; nothing is left to say to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _print_every_name(stream: object) -> None:
    """Print characters that the terminal's encoding does not have as escapes: no work must end in that."""
    if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
        stream.reconfigure(errors="backslashreplace")


def _dispatch(tokens: list[str]) -> int:
    """Run a command; one that examines something may return an exit code of its own."""
    from cyclopts.exceptions import CycloptsError

    from kaiseki.cli.app import make_app

    try:
        result = make_app()(tokens)
    except CycloptsError as error:
        text = " ".join(str(error).split())
        raise ConfigError(f"{text} (see kaiseki --help)") from None
    return result if isinstance(result, int) else 0


def _fail(error: KaisekiError, *, as_json: bool) -> int:
    sentence = " ".join(str(error).split())
    print(f"kaiseki: {sentence}", file=sys.stderr)
    if as_json:
        print(json.dumps({"error": type(error).__name__, "message": sentence, "exit_code": error.exit_code}))
    return error.exit_code
