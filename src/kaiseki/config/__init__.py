"""The experiment: one frozen section per part of the system, which engines, model and archive take as it is."""

from kaiseki.config.assimilation import Assimilation, BackgroundError, DigitalFilter, EnsembleSettings, FourDVarSettings
from kaiseki.config.base import Section
from kaiseki.config.domain import DomainSettings, Levels, Preset
from kaiseki.config.driving import Driving
from kaiseki.config.dynamics import Dynamics
from kaiseki.config.experiment import Experiment
from kaiseki.config.observations import ErrorOverride, Kind, Observations, Quantity
from kaiseki.config.outcome import Archive, Twin, Verification
from kaiseki.config.period import Case, Period
from kaiseki.config.physics import Physics

__all__ = [
    "Archive",
    "Assimilation",
    "BackgroundError",
    "Case",
    "DigitalFilter",
    "DomainSettings",
    "Driving",
    "Dynamics",
    "EnsembleSettings",
    "ErrorOverride",
    "Experiment",
    "FourDVarSettings",
    "Kind",
    "Levels",
    "Observations",
    "Period",
    "Physics",
    "Preset",
    "Quantity",
    "Section",
    "Twin",
    "Verification",
]
