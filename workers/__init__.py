"""What runs beside the sidecar: workers, their ticker, and the command line."""
