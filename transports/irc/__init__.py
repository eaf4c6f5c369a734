"""IRC: codec, sans-IO session and the connector."""
