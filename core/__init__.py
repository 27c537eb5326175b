"""The product: everything Atelier does, without a screen."""
