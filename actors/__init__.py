"""The shell around single actors. Imports nothing, so that `actors.core` stays free of Ray."""
