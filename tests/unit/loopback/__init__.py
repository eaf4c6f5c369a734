"""The sample network."""
