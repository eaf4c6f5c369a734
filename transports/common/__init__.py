"""What every network with sessions needs and no protocol owns: coming back, turns, results, many accounts' sockets."""
