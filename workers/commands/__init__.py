"""The groups of commands of `assay`."""
