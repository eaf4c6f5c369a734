"""The sample network: lines of JSON over TCP. docs/tutorial/add-a-network.md makes it step by step."""
