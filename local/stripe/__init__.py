"""A simulated Stripe: Checkout with its pay page, refunds, disputes and signed events on one loopback port.

It speaks the protocol of Stripe's API 2026-10-28 as far as buying a pack of credits needs it, is driven by the official
`stripe` package, and misbehaves on request: events come late, twice, in the wrong order, forged, or never.
"""
