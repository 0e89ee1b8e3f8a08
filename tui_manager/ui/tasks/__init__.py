"""Tasks and command hosts on the screen, and the keys that act on them. Output is in `output`."""
