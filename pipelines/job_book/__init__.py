"""The job book: every job and every finished picture in one SQLite file. `book.py` is all that others see of it."""
