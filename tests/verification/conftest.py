"""Fixtures of the tests of the report, which read a run on disk too."""

from report.conftest import judged, twin

__all__ = ["judged", "twin"]
