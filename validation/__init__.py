"""The shelf of published cases; run one with `python -m validation.<name>`."""
