"""Analysed precipitation: radar, gauges and microwave links blended into hourly fields with their uncertainty."""
