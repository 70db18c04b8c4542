"""The judge: what a language model is asked about the claims of a response, and what of its reply counts. Pure."""
