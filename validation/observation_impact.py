"""Does the impact of the observations add up to what they did? On twins, where the truth is known.

    python -m validation.observation_impact out/engines/twin-1-seed-1 out/engines/twin-1-seed-1+4dvar

Takes folders of runs (of `validation.engines`, say). For the last analysis of each the impacts of all observations from
one adjoint pass are added up and divided by the change of the dry energy of the error that the analysis made.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from kaiseki.archive.run import RunFolder
from kaiseki.experiments.compilation import prepare_process
from kaiseki.experiments.impact import study
from kaiseki.experiments.twin import prepare
from kaiseki.experiments.twin.case import twin_case
from validation.shelf import Source, record, within

CASE = "observation_impact"
SOURCE = Source(
    "Errico (2007, Tellus 59A, 273-276, doi:10.1111/j.1600-0870.2006.00217.x): the measure is of third order in the "
    "departures and exact for a quadratic error and a linear analysis",
    "law",
    "15 %: what outer loops leave of linearity; the largest found is 5.5 %, 4D-Var on seed 2, the next 3.2 %",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    prepare_process()
    rows = []
    for path in parser.parse_args().folders:
        folder = RunFolder(path)
        experiment = folder.noted()
        case = twin_case(experiment, folder)
        truth = prepare(experiment, case.domain, folder.path / "twin").truth
        found = study(case, experiment.period.last, truth, probes=0)
        change = found.after - found.before
        assert experiment.twin is not None
        name = f"{experiment.assimilation.engine}, {experiment.case.name}, seed {experiment.twin.seed}"
        print(
            f"{name}: error {found.before:.4f} to {found.after:.4f} J/kg, impacts {found.impact.sum():+.4f}", flush=True
        )
        quantity = f"{name}: sum of the impacts over the change of the error"
        rows.append(within(CASE, quantity, found.impact.sum() / change, 1.0, SOURCE, 0.15))
    record(rows)


if __name__ == "__main__":
    main()
