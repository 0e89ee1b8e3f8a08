"""The dashboard under measurement: the real program on a terminal, keys in, painted cells out."""
