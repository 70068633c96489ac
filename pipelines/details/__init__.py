"""Details: where they are in a picture, by detectors, by colour or by what is painted, and which of them count. No torch."""
