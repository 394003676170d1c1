"""Permissions: who may ask for what."""
