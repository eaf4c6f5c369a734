"""One module for each step; its name says what it brings."""
