"""The parts of the job book: its file, what goes wrong with it, how its rows are read. `pipelines.job_book.book` joins them."""
