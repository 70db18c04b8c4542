"""What sidecar and workers share."""
