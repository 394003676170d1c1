"""Packages: an instance, or a whole multiverse, as one portable file for an outer layer."""
