"""The starter model: what it takes to train it. Not part of the package."""
