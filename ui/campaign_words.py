"""Campaigns in words: how a step stands, what a run does. Pure functions; nothing here is escaped."""

from collections.abc import Collection, Iterable
from uuid import UUID

from core.campaigns import LABELS, STEPS, Campaign, Clip, EstimateLine, Run, RunClip, Step, StepState, Version
from core.campaigns.making import missing_source
from core.campaigns.steps import between
from ui import recipe_form, words

NOUNS: dict[Step, str] = {
    "first_frame": "first frame",
    "video": "video",
    "voice": "voice",
    "ambient": "ambience",
    "transcript": "transcript",
}


def facts(campaign: Campaign) -> str:
    """3 clips · 8 of 15 steps made · 45 credits · $1.20."""
    parts = [words.count(campaign.clips, "clip")]
    if campaign.wanted_steps:
        parts.append(f"{words.number(campaign.made_steps)} of {words.count(campaign.wanted_steps, 'step')} made")
    if campaign.credits or campaign.spent_usd:
        parts += [words.credits(campaign.credits), words.usd(campaign.spent_usd)]
    return " · ".join(parts)


def whose(campaign: Campaign, is_mine: bool) -> str:
    """Private; Shared with the team; Shared by Mara Costa."""
    if campaign.visibility == "team":
        return "Shared with the team" if is_mine else f"Shared by {campaign.owner_name}"
    return "Private" if is_mine else f"Private to {campaign.owner_name}"


def state(step: StepState) -> str:
    """In the making; v2; v2 · out of date; Not made yet; Needs a prompt; Left out."""
    if step.open_jobs:
        return "In the making"
    if step.current is not None:
        return f"v{step.current.number} · out of date" if step.is_outdated else f"v{step.current.number}"
    if step.recipe is None:
        return "Left out"
    return "Needs a prompt" if recipe_form.lacks_prompt(step.recipe) else "Not made yet"


def problems(lines: Iterable[EstimateLine]) -> list[str]:
    """The bottle · video needs a prompt. What only follows from an earlier problem of the same clip is left out."""
    told: list[str] = []
    blocked: set[UUID] = set()
    for line in lines:
        about, problem = f"{line.clip_name} · {LABELS[line.step].lower()}", line.problem or ""
        if problem == missing_source(line.step):
            if line.clip_id in blocked:
                continue
            problem = problem.removeprefix(f"{LABELS[line.step]}: ")
        is_prompt = problem == f"{recipe_form.prompt_label(line.generation_type)} is missing."
        told.append(f"{about} needs a prompt." if is_prompt else f"{about}: {problem}")
        blocked.add(line.clip_id)
    return told


def begun(clips: Iterable[Clip], wanted: Collection[UUID], first: Step, last: Step) -> list[str]:
    """The clay has its video. Choose voice to go on with it: for clips that a chain passes by, as they are further."""
    told = []
    for clip in clips:
        if clip.id in wanted or clip.step(first).current is None:
            continue
        later = (clip.step(step) for step in between(first, last)[1:])
        missing = (state.step for state in later if state.recipe and not state.current and not state.open_jobs)
        if (at := next(missing, None)) is not None:
            told.append(f"{clip.name} has its {NOUNS[first]}. Choose {LABELS[at].lower()} to go on with it.")
    return told


def outdated(clip: Clip, step: StepState) -> str:
    """Why a step is out of date and what to do; empty when it is not."""
    if not step.is_outdated:
        return ""
    return f"{LABELS[step.step]} of {clip.name} was made from something that has changed since. Make it again."


def version(version: Version) -> str:
    """Version 3 · current."""
    return f"Version {version.number} · current" if version.is_current else f"Version {version.number}"


def steps_of(run: Run) -> str:
    """First frame; First frame to transcript."""
    if run.first_step == run.last_step:
        return LABELS[run.first_step]
    return f"{LABELS[run.first_step]} to {LABELS[run.last_step].lower()}"


def stands(run: Run, campaign: Campaign) -> str:
    """Generating; Waiting for you; Waiting for Mara Costa, to whom may only look."""
    if run.state == "running":
        return "Generating"
    return "Waiting for you" if campaign.may_change else f"Waiting for {campaign.owner_name}"


def progress(run: Run, clips: Iterable[Clip]) -> tuple[int, int]:
    """How many steps of a run are made, of how many. A clip that was deleted meanwhile does not count."""
    known = {clip.id: clip for clip in clips}
    made = total = 0
    for item in run.clips:
        if item.clip_id not in known:
            continue
        clip = known[item.clip_id]
        steps = [step for step in between(run.first_step, run.last_step) if clip.step(step).recipe]
        before = [step for step in steps if STEPS.index(step) < STEPS.index(item.step)]
        made += len(steps) if item.state == "done" else len(before)
        total += len(steps)
    return made, total


def done(run: Run, clips: Iterable[Clip]) -> str:
    """5 of 12 steps made · 1 of 3 clips done · 24 of 60 confirmed credits used."""
    parts = [f"{run.done} of {words.count(len(run.clips), 'clip')} done", used(run)]
    if run.first_step != run.last_step:
        made, total = progress(run, clips)
        parts.insert(0, f"{made} of {words.count(total, 'step')} made")
    return " · ".join(parts)


def used(run: Run) -> str:
    """24 of 60 confirmed credits used."""
    return f"{words.number(run.used_credits)} of {words.number(run.confirmed_credits)} confirmed credits used"


def waits(item: RunClip, name: str, *, has_enough: bool = False) -> str:
    """Clip 2, video: You are 8 credits short. `has_enough` when it waited for credits, and they have come."""
    reason = "there are enough credits now. Press Go on." if has_enough else item.reason or "it waits."
    return f"{name}, {LABELS[item.step].lower()}: {reason}"


def makes(step: Step, last: Step, clips: int) -> str:
    """Generate 3 first frames; Generate 3 clips from first frame to video."""
    if step == last:
        return f"Generate {words.count(clips, NOUNS[step])}" if clips != 1 else f"Generate {NOUNS[step]}"
    return f"Generate {words.count(clips, 'clip')} from {NOUNS[step]} to {NOUNS[last]}"
