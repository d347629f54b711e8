"""The run store: one Icechunk repository, one commit per cycle."""
