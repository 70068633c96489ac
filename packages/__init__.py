"""Dependencies: the locks that `run.py` installs from, and the table of versions and licences. The studio imports nothing of it."""
