"""What a model gets wrong, and what its predictions rest on."""
