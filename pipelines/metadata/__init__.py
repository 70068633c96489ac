"""Metadata: what a picture says of how it was made, in our JSON and in the settings text of other studios, both ways. No torch."""
