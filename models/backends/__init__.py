"""The runtimes: each module here wraps one, and nothing else imports it."""
