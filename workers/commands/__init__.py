"""The commands of `assay`, one module each."""
