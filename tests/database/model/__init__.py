"""What the books must be after any deeds, said once more in plain Python, and the hands that do them for real."""
