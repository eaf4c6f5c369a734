"""The kinds of networks, each bound together from its transport and its mapping."""
