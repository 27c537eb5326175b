"""How the simulator behaves. Everything is off until somebody switches it on."""

from pydantic import BaseModel, ConfigDict, Field


class Behaviour(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    repeat: int = Field(default=1, ge=1, le=5, description="times that each event is sent")
    delay_seconds: float = Field(default=0, ge=0, le=600, description="seconds that events wait before they are sent")
    reorder: bool = Field(default=False, description="send events in the wrong order, newest first")
    lose: bool = Field(default=False, description="send no event at all")
    forge: bool = Field(default=False, description="send a forged copy before each event")
    cut_off: bool = Field(default=False, description="do what an API call asks, and break off its first answer")
    api_down: bool = Field(default=False, description="answer every API call with 503")
