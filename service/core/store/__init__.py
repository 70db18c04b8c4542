"""All SQL. A caller opens the transaction; nothing here commits."""
