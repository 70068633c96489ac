"""Answers: messages that the services make for a page, a class each in the module of its area. Plain values, as they go into JSON.

All messages of the page are listed in `ui/messages/`, these among them.
"""

from pipelines.services.form_answers import *
from pipelines.services.grid_answers import *
from pipelines.services.job_answers import *
from pipelines.services.picture_answers import *
from pipelines.services.reading_answers import *
