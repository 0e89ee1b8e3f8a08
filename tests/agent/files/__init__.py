"""Tests of the files that an agent writes and reads."""
