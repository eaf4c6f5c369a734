"""What is wrong with something that came over the wire."""


class MatrixSyntaxError(ValueError):
    """It is not what the specification says; the text names what and where."""
