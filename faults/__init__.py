"""Faults of a deployed server, under load: what becomes of each numbered message. `make faults` runs all."""
