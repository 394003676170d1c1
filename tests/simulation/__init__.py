"""Simulation testing of the clock."""
