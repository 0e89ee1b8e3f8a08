"""Emulated agents: the real agent's link code on the real wire, with commands that are answered
instead of run. One machine holds thousands."""
