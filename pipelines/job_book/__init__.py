"""The job book: every job and every finished picture in one SQLite file. Others see `book.py`; the gallery keeps its shelf."""
