"""Simulated people: what they see, how they answer, in process or on a running server."""
