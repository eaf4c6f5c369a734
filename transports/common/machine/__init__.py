"""The parts of a sans-IO session that are no protocol's own. Pure: time comes in as numbers."""
