"""Wildcards and choices: templates, and the words that are drawn of them by a seed, or all of them. No torch."""
