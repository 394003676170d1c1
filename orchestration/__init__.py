"""The driver of the multiverse and the command line."""
