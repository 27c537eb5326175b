"""The other sides of single sign-on, on this machine: a company's OpenID Connect provider, and the part of hosted
Supabase that Supabase Lite does not have. Both speak the real protocol with real keys."""
