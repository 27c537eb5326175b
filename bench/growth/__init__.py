"""How Atelier grows past one machine: what was measured here, put into a simulation of one larger PostgreSQL."""
