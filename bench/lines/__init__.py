"""The lines of the table, each measured by a module of its own."""
