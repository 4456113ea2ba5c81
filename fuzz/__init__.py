"""Fuzzing: valid files of each kind, changed at random, given to what reads them. `python -m fuzz --help`.

Whatever comes out must be a result or a UserError: no other exception, no signal, no more than a gigabyte, no more than
five seconds. Input number n of a target depends on the seed and on n alone.
"""
