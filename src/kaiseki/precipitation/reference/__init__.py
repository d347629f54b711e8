"""Radar-gauge analysis as weather services do it today, to compare with: factors by radar, then a local adjustment."""
