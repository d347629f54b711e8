"""The twin experiment: a nature run that plays the atmosphere, and a network that observes it."""
