"""Merges: states of several instances made into one, and the four platforms' views into one truth."""
