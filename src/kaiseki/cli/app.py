"""The table of commands; a new group is one line here and one module beside this one."""

from __future__ import annotations

from importlib.metadata import version

from cyclopts import App

COMMANDS: dict[str, tuple[str, str]] = {
    "new": ("kaiseki.cli.new:new", "Write an experiment for a place, a period and a spacing, and a map of its domain."),
    "fetch": ("kaiseki.cli.fetch:fetch", "Fetch the data that an experiment needs from the services that have them."),
    "demo": ("kaiseki.cli.runs:demo", "The main job: a twin experiment, or a case on real data, with its report."),
    "run": ("kaiseki.cli.runs:run", "Run an experiment, its baselines, scores and report."),
    "resume": ("kaiseki.cli.runs:resume", "Go on with a run that was ended."),
    "forecast": ("kaiseki.cli.forecast:forecast", "Free forecasts from the analyses of a run or the driving fields."),
    "verify": ("kaiseki.cli.runs:verify", "Score a run; writes scores.json."),
    "report": ("kaiseki.cli.runs:report", "Make the page with maps, profiles and scores of a run."),
    "impact": ("kaiseki.cli.impact:impact", "What each kind of observation did to an analysis of a run."),
    "tune": ("kaiseki.cli.tune:tune", "Errors of background and observations from the innovations of a run."),
    "archive": ("kaiseki.cli.archive:app", "Release stores: pack, publish, examine them and take data from them."),
    "precip": ("kaiseki.cli.precip:app", "Analysed precipitation, and JMA's files of rain and radars."),
    "config": ("kaiseki.cli.config:app", "Show, check and describe experiment files."),
    "doctor": ("kaiseki.cli.doctor:doctor", "What this machine can run, what it lacks and what to do about it."),
    "info": ("kaiseki.cli.info:info", "Versions, devices and memory of this machine."),
}
"""Name of the command: (where it is, one line of help). Written here so that --help imports no command."""

HELP = (
    "A regional reanalysis that anyone can run.\n\n"
    "Observations and a coarse global analysis go through a data-assimilation cycle with a non-hydrostatic regional "
    "model; what comes out is an archive that `kaiseki.open(path)` reads. A run is described by one TOML file: see "
    "`kaiseki config`."
)

EPILOGUE = (
    "Every command takes --json: the result as JSON on standard output, and no progress.\n\n"
    "Exit codes: 0 done, 1 other failure, 2 wrong option or experiment file, 3 unusable input, 4 store cannot be "
    "opened or written, 5 numbers out of range, 6 not enough memory, disk or time, 7 faults found, 130 interrupted."
)


def make_app() -> App:
    """The application with all commands; parsing errors are raised, not printed."""
    app = App(
        name="kaiseki",
        help=HELP,
        help_epilogue=EPILOGUE,
        help_format="plaintext",
        version=lambda: version("kaiseki"),
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
        result_action="return_value",
    )
    for name, (target, text) in COMMANDS.items():
        app.command(target, name=name, help=text)
    return app
