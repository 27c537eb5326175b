"""`make load`: webhooks at a rate while people click, on a stack of its own, and then the question what was lost."""
