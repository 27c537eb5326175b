"""The mails that Supabase Lite would have sent, on its page; and forms of pages without a browser."""

import re
from html import unescape

import httpx


def page(supabase_url: str) -> str:
    """The page of the mails, newest first."""
    html = httpx.get(f"{supabase_url}/_sim/mails").raise_for_status().text
    assert html.endswith("</html>")
    return html


def link_to(supabase_url: str, email: str) -> httpx.URL:
    """The link in the newest mail to this address."""
    letter = re.search(rf"To {re.escape(email)} .*?</article>", page(supabase_url), re.DOTALL)
    assert letter, f"no mail to {email}"
    found = re.search(r'href="([^"]+)"', letter[0])
    assert found, letter[0]
    return httpx.URL(unescape(found[1]))


def hidden(html: str) -> dict[str, str]:
    """The fields of a form that nobody sees."""
    fields = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', html)
    return {name: unescape(value) for name, value in fields}
