"""The other end of a Triton server: the models that it runs, and the repository that names them."""
