"""Messages between the page and the server, one class each: what its scripts send, and what they are answered.

What the page sends is called a question or an order. Anybody can send anything there, so its values are `object` until the server code that
reads them has looked; the comments say what a page of ours sends. A message stands in the module of its area; what the studio itself makes
stands in the `answers.py` of the packages that make it. Here is the list of all of them, from which `ui/static/messages.d.ts` is made.
"""

from pipelines.gallery.answers import *
from pipelines.inside.answers import *
from pipelines.people.answers import *
from pipelines.services.answers import *
from ui.messages.canvas import *
from ui.messages.finishes import *
from ui.messages.form import *
from ui.messages.gallery import *
from ui.messages.grids import *
from ui.messages.library import *
from ui.messages.outcomes import *
from ui.messages.people import *
from ui.messages.presets import *
from ui.messages.queue import *
from ui.messages.stage import *
from ui.messages.units import *
