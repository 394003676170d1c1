"""The rules, pure: no Ray, no I/O, no wall clock, no global randomness."""
