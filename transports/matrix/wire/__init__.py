"""The codec of Matrix's application service and client-server APIs: JSON in and out, pure."""
