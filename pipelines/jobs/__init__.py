"""Jobs as they run: the worker, what it says of its progress, and what it leaves behind. No torch."""
