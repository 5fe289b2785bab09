"""Fuzzing of a real server: `make fuzz` runs it all, the suite a short form of it."""
