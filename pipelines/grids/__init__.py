"""Grids: axes that a request's fields make, what is typed on them, their cells, and the order in which these are drawn. No torch."""
