"""The whole of Atelier on one machine: PostgreSQL, Supabase Lite, simulated services, one supervisor."""
