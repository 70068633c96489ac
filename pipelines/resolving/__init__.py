"""Resolving: what a request names, looked up in the library, and what drawing it will need. No torch."""
