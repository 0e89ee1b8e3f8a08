"""The wire as an agent speaks it, by hand: raw streams, TLS, files, floods."""
