"""What a stream of stanzas means, without sockets and without a clock of its own."""
