"""A bounded, seeded run in which everything goes wrong at once; afterwards everything must be right.

    python -m local.chaos --jobs 2000 --seed 1

The real stack on free ports: PostgreSQL, Supabase Lite, two companions, a simulated fal.ai; people in processes of
their own. What happens to which job follows from the seed; when exactly, from the machine.
"""
