"""Campaigns of clips: each clip goes from first frame to transcript, every result is a version, nothing is lost."""

from core.campaigns.editing import (
    add_clip,
    create_campaign,
    delete_clip,
    duplicate_clip,
    edit_campaign,
    edit_clip,
    make_current,
    move_clip,
    restore_clip,
)
from core.campaigns.estimates import clips_to_make, estimate
from core.campaigns.export import Export, export_campaign
from core.campaigns.making import generate
from core.campaigns.reading import (
    COVER,
    get_campaign,
    get_clip,
    list_campaigns,
    list_clips,
    list_versions,
    open_campaign,
)
from core.campaigns.records import (
    Campaign,
    CampaignPage,
    Clip,
    Estimate,
    EstimateLine,
    Recipe,
    Run,
    RunClip,
    StepState,
    Version,
)
from core.campaigns.runs import get_run, resume_run, start_run, stop_run
from core.campaigns.steps import LABELS, MODELS, STEPS, Step

__all__ = [
    "COVER",
    "LABELS",
    "MODELS",
    "STEPS",
    "Campaign",
    "CampaignPage",
    "Clip",
    "Estimate",
    "EstimateLine",
    "Export",
    "Recipe",
    "Run",
    "RunClip",
    "Step",
    "StepState",
    "Version",
    "add_clip",
    "clips_to_make",
    "create_campaign",
    "delete_clip",
    "duplicate_clip",
    "edit_campaign",
    "edit_clip",
    "estimate",
    "export_campaign",
    "generate",
    "get_campaign",
    "get_clip",
    "get_run",
    "list_campaigns",
    "list_clips",
    "list_versions",
    "make_current",
    "move_clip",
    "open_campaign",
    "restore_clip",
    "resume_run",
    "start_run",
    "stop_run",
]
