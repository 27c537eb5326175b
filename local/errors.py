"""What can go wrong while the stack is started, as a sentence that says what to do."""


class LocalError(Exception):
    """A step of the local stack failed. The text is one clear sentence for whoever started it."""


class PortTaken(LocalError):
    """Something else listens on a port that the stack needs; the text names the port and the setting that moves it."""
