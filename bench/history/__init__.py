"""A history as years of work would leave it: jobs with their credits, logs, files, webhooks, spend and campaigns.

    python -m bench.history <database url> --jobs 1000000 --seed 1

Set-based SQL, minutes for a million jobs. The same seed gives the same history, up to the hour at which it ends: it
ends an hour ago, because pages ask for the last days. The books agree: `audit_books()` finds nothing.
"""

from bench.history.filling import PEOPLE, fill

__all__ = ["PEOPLE", "fill"]
