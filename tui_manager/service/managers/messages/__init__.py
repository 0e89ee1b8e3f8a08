"""Messages between managers: what has changed and what is asked, the link that carries them, and
how lost ones are found."""
