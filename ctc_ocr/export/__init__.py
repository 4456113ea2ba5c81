"""Models in the form of other programs."""
