"""The judge: a language model that is asked for verdicts, the calls to it, and what they cost."""
