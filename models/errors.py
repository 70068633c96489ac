"""Errors for the user: what a person is told when something cannot be done.

    UserError             a sentence that says what happened and what to do
    └── Overflow          numbers became infinite or undefined inside a network
    Interrupted           nobody wants the work any more; no sentence, as nobody is told

Everything else that is raised is a bug: it keeps its traceback, in the log, and the page says only that something broke.
"""


class UserError(Exception):
    """A sentence for the artist: what happened, what to do. Shown as it is, so it names no path and no internals."""


class Overflow(UserError):
    """Non-finite numbers in the named part of the model."""


class Interrupted(Exception):
    """Work that takes long was given up half way, because somebody pressed Stop. Nothing of it is kept."""
