"""How the starter model was made: scenes, training, judging. Every module can be run; see the model card."""

from models.memory.device import mend_torchvision

mend_torchvision()  # every module here imports diffusers or transformers at its head
