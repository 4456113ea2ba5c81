"""Scripts that call the generators, one for each registry and language, where those are installed.

Their arguments are the generator's name, its environment's folder and a seed. They read paths from their standard
input, one per line. For each they write one image there, in whatever format the generator has, and then print the
image's text as a line. They end with their input.
"""
