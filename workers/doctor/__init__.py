"""The doctor: what is wrong with this installation, and the fix."""
