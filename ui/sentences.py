"""Sentences for when something went wrong: what happened, what it cost, what to do. Pure functions.

Most of them come from `core` (errors, failed jobs); here are those of the sign-in page, and how all are set.
"""

import re

from ui import words

# Codes that travel in the query string of the sign-in page. An unknown one gets the plain sentence.
SIGN_IN_ERRORS = {
    "WRONG": "This email and password do not match. Check both and try again.",
    "TOO_MANY": "Too many tries. Wait a quarter of an hour and try again.",
    "NOT_CONFIRMED": "Confirm your email first: we sent you a link.",
    "BAD_EMAIL": "This email does not work here. Enter a full one, such as you@company.com.",
    "BAD_NAME": "Enter your name, 120 characters at most.",
    "WEAK_PASSWORD": "This password is too weak. Choose a longer one, at least 10 characters.",
    "LONG_PASSWORD": "This password is too long. Choose one of at most 72 characters.",
    "SAME_PASSWORD": "This was your password before. Choose another one.",
    "MISMATCH": "These two are not the same. Type the new password twice.",
    "LINK_USED": "This link has been used or is older than an hour. Ask for a new one.",
    "CONFIRM_USED": "This link has been used or is older than an hour. Try to sign in. If your email still has to be "
    "confirmed, create the account once more: we send a new link.",
    "SSO_DENIED": "Signing in with {provider} was cancelled or refused there. Try again, or use your password.",
    "SSO_STALE": "Signing in with {provider} took too long, or began in another browser. Start again.",
    "SSO_AWAY": "Signing in with {provider} gets no answer from there. Try again in a moment, or use your password.",
    "SSO_UNVERIFIED": "Signing in with {provider} needs a confirmed email. Confirm yours there, then try again.",
    "SSO_CLOSED": "There is no account here for you, and new ones are closed. Ask an admin.",
    "SSO_REFUSED": "Signing in with {provider} is not set up correctly. Tell an admin: the log says what is wrong.",
    "DATABASE_UNAVAILABLE": "The database could not be reached. Try again in a moment.",
}
SIGN_IN_PLAIN = "That did not work. Try again in a moment."
NOTICES = {
    "signed_up": "Thank you. If this email is new here, your account is made. Open the link in our mail, then sign in: "
    "an admin approves it.",
    "reset_sent": "If there is an account with this email, a link for a new password is on its way.",
    "password_set": "Your new password is set. Sign in with it: you are signed out everywhere.",
    "confirmed": "Your email is confirmed. Sign in.",
}
# Where mails are simulated: nobody has to open one, and whoever wants to finds them.
SIMULATED_NOTICES = {
    "signed_up": "Thank you. If this email is new here, your account is made: sign in, and an admin approves it.",
    "reset_sent": NOTICES["reset_sent"] + " Mails are simulated here: [read it]({mails}).",
}
_FIRST = re.compile(r"(.+?[.!?…])(?:\s+(.*))?", re.DOTALL)


def sign_in_error(code: str, provider: str) -> str:
    """Markdown for a code of the sign-in page; `provider` is who one signs in with, when not with a password."""
    return SIGN_IN_ERRORS.get(code, SIGN_IN_PLAIN).format(provider=words.escape(provider))


def sign_in_notice(code: str, mails: str) -> str | None:
    """Markdown for what went well; `mails` is where they are read while they are simulated, else empty."""
    simulated = SIMULATED_NOTICES.get(code) if mails else None
    return simulated.format(mails=mails) if simulated else NOTICES.get(code)


def marked(sentence: str) -> str:
    """Markdown of a sentence from `core` or fal.ai: its first part bold, all of it escaped."""
    found = _FIRST.fullmatch(sentence.strip())
    if found is None:
        return words.escape(sentence)
    head, rest = found.groups()
    return f"**{words.escape(head)}** {words.escape(rest)}" if rest else f"**{words.escape(head)}**"
