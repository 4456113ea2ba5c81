"""Models behind HTTP (extra [serve])."""
