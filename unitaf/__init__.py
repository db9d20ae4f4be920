"""Dialogue scripts in, speech and fitting facial animation out, in bulk."""
