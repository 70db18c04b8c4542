"""How the bundled weights are made; nothing here runs in a worker."""
