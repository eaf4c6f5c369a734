"""What transports share."""
