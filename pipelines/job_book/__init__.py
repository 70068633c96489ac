"""The job book: every job and every finished picture in one SQLite file. `book.py` is what others see of it; the gallery keeps its shelf itself."""
