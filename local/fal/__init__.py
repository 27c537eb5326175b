"""A simulated fal.ai: the queue, webhooks, storage and platform API on one loopback port, with real output files.

It speaks the protocol that fal documents (see the modules for what comes from where) and misbehaves on request, so
that everything which can go wrong with a paid remote service can be made to go wrong here, for nothing.
"""
