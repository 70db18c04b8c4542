"""Reviews: what further scorers, the judge and self-consistency, make of samples, when, and at what price."""
