"""One task on the screen: its head, its command hosts, its steps and its map. What keys do to
tasks is beside this package."""
