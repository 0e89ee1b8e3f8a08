"""Argument parsing and the plain commands."""
