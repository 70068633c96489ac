"""Packages: the locks that `run.py` installs from, how it does, and the table of licences. The studio imports nothing of it."""
