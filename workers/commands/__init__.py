"""The commands of `assay`, one module a noun."""
