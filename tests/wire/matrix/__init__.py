"""Golden transcripts of Matrix."""
