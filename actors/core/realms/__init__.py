"""Realms: the tick engine with its reaction rules, and the native realm, the City."""
