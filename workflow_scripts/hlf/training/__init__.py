"""Training of the mini zoo: every model by its own method's recipe in small, on scenes (docs/design.md)."""
