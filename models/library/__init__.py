"""The library: which model files there are, under which names, with which hashes, and what goes with what. No torch."""
