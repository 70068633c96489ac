"""Content credentials (C2PA) of pictures: found, judged, and signed with a chain of the installation's own. No torch."""
