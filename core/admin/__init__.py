"""What only admins do, below the screen: catalogue, stuck jobs, replay, audits, health, trail.

The page guards itself, and every SQL function checks the acting admin again. People are in `core.people`, the overview
and the inbox in `core.operations`.
"""
