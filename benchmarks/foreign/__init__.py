"""Captchas of generators that were not written here: how few labelled images of each are enough to read it."""
