"""Completion: what may be meant by the beginning of a word while a prompt is written, and the tag lists that people have. No torch."""
