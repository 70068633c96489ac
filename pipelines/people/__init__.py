"""People: links, who came in by them, their sessions, and the roles. No torch."""
