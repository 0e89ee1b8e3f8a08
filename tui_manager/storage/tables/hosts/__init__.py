"""The tables of hosts and join tokens: what agents say of themselves, who belongs, what operators
change."""
