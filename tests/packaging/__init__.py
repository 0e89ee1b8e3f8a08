"""What the project is installed from: wheels, source archives, man pages, packages of hosts."""
