"""The sidecar: HTTP in, numbers out. Never imports workers or a model runtime."""
