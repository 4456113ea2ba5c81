"""What labelled images of different kinds are read with, after a training of minutes: `python -m` each module."""
