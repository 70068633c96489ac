"""The tests: one file for each thing promised."""
