"""Tasks and command hosts on the screen, and what is done with them."""
