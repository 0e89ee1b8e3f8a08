"""What a host, a task and a command host are, and which moves are legal. No I/O."""
