"""What is typed: the bytes of a terminal, and keys that come faster than the screen follows."""
