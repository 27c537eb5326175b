"""What the simulator's pages share: paper in the light, ink in the dark, hairlines, a serif for headings."""

from html import escape

_STYLE = """
:root{color-scheme:light dark;--paper:light-dark(#FAF7F0,#12151F);--card:light-dark(#FBFAF8,#1C202D);
--ink:light-dark(#1B1E2B,#ECE7DB);--muted:light-dark(#5F5B54,#A9A79F);--line:light-dark(#DDD6C8,#313648);
--accent:light-dark(#2F43D0,#8393FF);--on-accent:light-dark(#FFF,#12151F);--bad:light-dark(#A32F2A,#F09A90)}
*{box-sizing:border-box} body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:var(--width,30rem);margin:0 auto;padding:3rem 1.25rem 5rem}
h1,h2,.figure{font-family:Newsreader,Georgia,serif;letter-spacing:-.01em;line-height:1.15;margin:0 0 .5rem}
h1{font-weight:400;font-size:2.25rem} h2{font-weight:500;font-size:1.25rem;margin-top:2.5rem}
.figure{font-size:2rem} p{margin:0 0 1rem} .muted,th{color:var(--muted)} small,.small,table{font-size:.875rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:.375rem;padding:1.25rem;margin:1.5rem 0}
button,.button{font:inherit;display:inline-block;padding:.5rem 1rem;border:1px solid var(--line);border-radius:.375rem;
background:var(--paper);color:var(--ink);cursor:pointer;text-decoration:none}
button.primary{background:var(--accent);border-color:transparent;color:var(--on-accent);width:100%;padding:.7rem 1rem}
button:focus-visible,a:focus-visible,input:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
a{color:var(--accent)} form{margin:0} .row{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center}
table{width:100%;border-collapse:collapse} th,td{text-align:left;font-weight:400;padding:.5rem .75rem .5rem 0;
border-bottom:1px solid var(--line);vertical-align:top} .number{text-align:right;font-variant-numeric:tabular-nums}
td button{padding:.15rem .6rem;font-size:.8125rem} input{font:inherit;padding:.3rem .5rem;border:1px solid var(--line);
border-radius:.375rem;background:transparent;color:inherit} input[type=number],input[name=amount]{width:6rem}
label{display:flex;gap:.5rem;align-items:center;padding:.25rem 0} [role=alert]{color:var(--bad)}
.wide{overflow-x:auto} .wide td{white-space:nowrap} td .row{flex-wrap:nowrap}
code{font-size:.8125rem;overflow-wrap:anywhere}
"""


def page(title: str, body: str, *, width: str = "30rem") -> str:
    """A whole page; `title` is text, `body` is HTML."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><title>{escape(title)}</title>'
        f'<style>{_STYLE}</style></head><body style="--width:{width}"><main>{body}</main></body></html>'
    )


def money(cents: int, currency: str = "eur") -> str:
    """€79.00; another currency by its code."""
    sign = "€" if currency == "eur" else f"{currency.upper()} "
    return f"{sign}{cents // 100:,}.{cents % 100:02d}"


def post_button(label: str, address: str, fields: dict[str, str] | None = None, *, primary: bool = False) -> str:
    """A form that is one button."""
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in (fields or {}).items()
    )
    kind = ' class="primary"' if primary else ""
    return f'<form method="post" action="{escape(address)}">{hidden}<button{kind}>{escape(label)}</button></form>'
