"""Presets: parts of a form under a name, what they make of another form, and the styles of other studios read as such. No torch."""
