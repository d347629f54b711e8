"""The `kaiseki` command. One module per group of commands, imported when the command is used."""

from kaiseki.cli.main import main

__all__ = ["main"]
