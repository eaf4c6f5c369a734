"""IRC on the wire: lines, tags, numerics, names, and the native values that a mapping reads. Pure."""
