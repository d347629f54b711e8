"""A case made ready and run: real data, twin, nesting, baselines, cost."""
