"""The pages for people who are not in yet: sign in, sign up, forgotten password, waiting for approval.

The forms are real HTML forms that post to our own routes: a password never passes through Streamlit.
"""

from html import escape
from typing import NamedTuple
from urllib.parse import unquote, urlencode

import streamlit as st

from core.errors import DatabaseUnavailable
from core.settings import Settings, get_settings
from ui import sentences, session, single_sign_on, web, words

WAITING_SECONDS = 10
_MARK = '<img class="mark" src="/app/static/wordmark.svg" alt="Atelier" width="100" height="32">'
_KEPT = ("view", "error", "notice", "next")


class _View(NamedTuple):
    heading: str
    lead: str
    action: str
    button: str
    fields: tuple[str, ...]
    others: tuple[tuple[str, str], ...]  # (view, label) of the two quiet buttons
    note: str


_FIELDS = {
    "full_name": '<label for="full_name">Your name</label>'
    '<input id="full_name" name="full_name" autocomplete="name" required maxlength="120">',
    "email": '<label for="email">Work email</label><input id="email" name="email" type="email" autocomplete="username" '
    'required maxlength="254" placeholder="you@company.com" value="{email}">',
    "password": '<label for="password">Password</label><input id="password" name="password" type="password" '
    'autocomplete="current-password" required maxlength="200">',
    "new_password": '<label for="password">Password</label><input id="password" name="password" type="password" '
    'autocomplete="new-password" required minlength="10" maxlength="72" aria-describedby="password-rule">'
    '<small id="password-rule">At least 10 characters.</small>',
}
_VIEWS = {
    "": _View(
        "Make something worth showing.",
        "Images, video, voice and 3D for the marketing team.",
        "/session/login",
        "Sign in",
        ("email", "password"),
        (("signup", "Create an account"), ("forgot", "Forgot your password?")),
        "A new account works once an admin has approved it.",
    ),
    "signup": _View(
        "Create an account.",
        "An admin approves it before you can generate.",
        "/session/signup",
        "Create account",
        ("full_name", "email", "new_password"),
        (("", "Sign in instead"),),
        "You will see here when it is approved.",
    ),
    "forgot": _View(
        "A new password.",
        "We send a link to the email of your account.",
        "/session/forgot",
        "Send the link",
        ("email",),
        (("", "Sign in instead"),),
        "The link works once, within an hour.",
    ),
}


def page() -> None:
    """The sign-in page, in the variant that the query string names."""
    view = _VIEWS.get(st.query_params.get("view", ""), _VIEWS[""])
    with st.container(horizontal_alignment="center"), st.container(key="signin", width=920):
        left, right = st.columns(2, gap="large", vertical_alignment="center")
        with left:
            _form_column(view)
        with right:
            st.image("/app/static/poster.svg", width="stretch", alt="A geometric poster: circles over a yellow field")


def _form_column(view: _View) -> None:
    st.html(_MARK)
    st.title(view.heading, anchor=False, width=320)
    st.markdown(f":gray[{view.lead}]")
    _messages()
    st.html(_form(view))
    if view is _VIEWS[""] and get_settings().has_single_sign_on:
        st.html(_single_sign_on())
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        for name, label in view.others:
            st.button(label, type="tertiary", on_click=_show, args=(name,), key=f"show_{name or 'signin'}")
    st.markdown(f":small[:gray[{view.note}]]")


def _messages() -> None:
    """The sentence for a code in the query string; text from there is never shown."""
    code, settings = st.query_params.get("error"), get_settings()
    if code:
        st.error(sentences.sign_in_error(code, settings.oidc_label), icon=":material/error:")
    elif said := sentences.sign_in_notice(st.query_params.get("notice", ""), _simulated_mails(settings)):
        st.success(said, icon=":material/check:")


def _simulated_mails(settings: Settings) -> str:
    """Where the mails are that Supabase Lite would have sent (supabase/mailbox.mjs); empty where mails are real."""
    simulated = "Supabase" in settings.simulated and not settings.is_production
    return f"{settings.supabase_url}/_sim/mails" if simulated else ""


def _form(view: _View) -> str:
    email = escape(unquote(st.context.cookies.get(web.EMAIL_COOKIE) or ""), quote=True)
    fields = "".join(_FIELDS[name] for name in view.fields).format(email=email)
    return (
        f'<form class="entry" method="post" action="{view.action}">'
        f'<input type="hidden" name="next" value="{escape(_wanted(), quote=True)}">{fields}'
        f"<button>{view.button}</button></form>"
    )


def _single_sign_on() -> str:
    """A link, not a form: browsers hold where a form may lead to our policy, through every redirect of the provider."""
    address, label = single_sign_on.start_address(_wanted()), get_settings().oidc_label
    return f'<a class="sso" href="{escape(address, quote=True)}">Sign in with {escape(label)}</a>'


def _wanted() -> str:
    """The page that the person came for: what a refused form carried along, else the address itself."""
    if "next" in st.query_params:
        return web.local_path(st.query_params["next"])
    path = "/" + (st.context.url or "").split("://", 1)[-1].partition("/")[2].split("?", 1)[0]
    rest = urlencode([(name, value) for name, value in st.query_params.to_dict().items() if name not in _KEPT])
    return web.local_path(f"{path}?{rest}" if rest else path)


def _show(view: str) -> None:
    for name in ("error", "notice"):
        st.query_params.pop(name, None)
    if view:
        st.query_params["view"] = view
    else:
        st.query_params.pop("view", None)


@st.fragment(run_every=WAITING_SECONDS)
def waiting() -> None:
    """Signed in, but not in yet: one calm sentence and the way out. Opens by itself once an admin said yes."""
    try:
        person = session.current()
    except DatabaseUnavailable:
        st.markdown(":gray[The database does not answer. Trying again every few seconds.]")
        return
    if person is None or person.may_generate:
        st.rerun()
    with st.container(horizontal_alignment="center"), st.container(key="signin", width=560):
        st.html(_MARK)
        if person.is_active:
            st.title("Waiting for approval.", anchor=False)
            st.markdown(":gray[An admin has to approve your account. This page opens by itself once that is done.]")
            st.markdown(_next_steps())
        else:
            st.title("This account is closed.", anchor=False)
            st.markdown(":gray[Ask an admin if that should not be so.]")
        st.markdown(f":small[:gray[Signed in as {words.email(person.email)}]]")
        sign_out()


def _next_steps() -> str:
    """What somebody who waits may look forward to."""
    given = get_settings().welcome_credits
    credits = (
        f"You get {words.credits(given)} to begin with." if given else "You buy credits, or an admin gives you some."
    )
    steps = ("An admin finds you on their list and lets you in.", credits, "You make a first image: a prompt is ready.")
    return "\n".join(f"{number}. {words.escape(step)}" for number, step in enumerate(steps, 1))


def sign_out() -> None:
    """A real form: signing out ends the session in the database and takes the cookie away."""
    st.html('<form class="quiet" method="post" action="/session/logout"><button>Sign out</button></form>')
