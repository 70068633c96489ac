"""Inside: looks into the drawing of a finished picture: its noise, its latents, its words, and what the model did at each step."""
