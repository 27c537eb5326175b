"""A companion that a test starts, stops and kills."""

from dataclasses import dataclass

from local.processes import Child


@dataclass
class Companion:
    """A companion as a process of its own, with its worker."""

    child: Child
    url: str

    def stop(self) -> None:
        self.child.stop()

    def kill(self) -> None:
        """SIGKILL, as the kernel does it: nothing is said and nothing is finished."""
        assert self.child.process is not None
        self.child.process.kill()
        self.child.process.wait()
        self.child.stop()
