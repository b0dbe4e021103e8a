"""Proof that a change of the code changes no number: the same commands before and after it, compared bit by bit."""
