"""What is in memory for good is set aside from Python's search for garbage.

Streamlit has all of memory searched after every run of a page and of every fragment. With pandas and plotly loaded
that takes ten times the processor of the refresh itself, and every other person's run waits meanwhile.
"""

import gc
import sys

_modules_known = 0


def settle() -> None:
    """At the end of a run: when it has loaded modules, what is alive now is not searched again.

    Objects are freed by their counts as before; only a circle that is alive at this moment, of which there are few,
    stays for as long as the process.
    """
    global _modules_known
    loaded = len(sys.modules)
    if loaded != _modules_known:
        _modules_known = loaded
        gc.collect()
        gc.freeze()
