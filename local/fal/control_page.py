"""The page at `/_sim/`: what the simulator did, and its switches. Plain HTML, rendered anew on each load."""

from datetime import UTC, datetime
from html import escape
from typing import Any

from local.fal.behaviour import QUIRKS, Behaviour
from local.fal.records import QueuedRequest

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Simulated fal.ai</title>
<meta name="viewport" content="width=device-width,initial-scale=1"><style>
:root{{color-scheme:light dark;--line:light-dark(#ddd6c8,#313648);--muted:light-dark(#5f5b54,#a9a79f)}}
body{{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem;
background:light-dark(#fbf8f1,#12151f);color:light-dark(#191c2c,#f2ede2)}}
h1,h2{{font:500 1.7rem/1.2 Georgia,serif;margin:0 0 .3rem}} h2{{font-size:1.2rem;margin-top:2rem}}
p{{color:var(--muted);margin:0 0 1rem;max-width:46rem}} table{{border-collapse:collapse;width:100%;font-size:14px}}
td,th{{text-align:left;padding:.35rem .8rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}}
th{{font-weight:500;color:var(--muted)}} .num{{text-align:right;font-variant-numeric:tabular-nums}}
.figures{{display:flex;flex-wrap:wrap;gap:.5rem 2.2rem}} .figures b{{display:block;font:500 1.4rem Georgia,serif}}
.figures span{{color:var(--muted);font-size:13px}} code{{font-size:13px}}
form{{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:.7rem 1.5rem}}
label{{display:block;font-size:13px;color:var(--muted)}} input{{font:inherit;width:100%;box-sizing:border-box;
padding:.3rem .5rem;border:1px solid var(--line);border-radius:6px;background:transparent;color:inherit}}
input[type=checkbox]{{width:auto;margin-right:.5rem}} button{{font:inherit;padding:.4rem 1rem;border-radius:6px;
border:1px solid var(--line);background:transparent;color:inherit;cursor:pointer}} #said{{color:var(--muted)}}
</style></head><body><h1>Simulated fal.ai</h1>
<p>Nothing here costs money. Words at the end of a prompt such as <code>[sim:lose, slow=5]</code> make one request
misbehave; the settings below are for all of them.</p>
<div class="figures">{figures}</div>
<h2>Latest requests</h2><table><tr><th>When</th><th>Endpoint</th><th>State</th><th>Misbehaviour</th>
<th class="num">Webhooks</th><th class="num">Polls</th><th class="num">USD</th></tr>{rows}</table>
<h2>Settings</h2><form id="settings">{settings}</form>
<p style="margin-top:1rem"><button form="settings">Save</button> <button id="reset">Forget everything</button>
<span id="said" role="status"></span></p>
<h2>Words for a prompt</h2><table>{quirks}</table>
<script>
const said = document.getElementById("said"), form = document.getElementById("settings");
async function post(path, body) {{
  const headers = {{"Content-Type": "application/json"}};
  const answer = await fetch(path, {{method: "POST", headers, body: JSON.stringify(body)}});
  if (answer.ok) location.reload(); else said.textContent = (await answer.json()).detail;
}}
form.addEventListener("submit", event => {{
  event.preventDefault();
  const wanted = {{}};
  for (const field of form.elements) {{
    if (!field.name) continue;
    const kind = field.dataset.kind;
    wanted[field.name] = kind === "bool" ? field.checked : kind === "text" ? field.value
      : kind === "pair" ? field.value.split(/[ ,]+/).map(Number) : field.value === "" ? null : Number(field.value);
  }}
  post("behaviour", wanted);
}});
document.getElementById("reset").addEventListener("click", () => post("reset", {{}}));
</script></body></html>"""


def render(summary: dict[str, Any], behaviour: Behaviour, newest: list[QueuedRequest]) -> str:
    """The whole page."""
    counts, everything = summary["counts"], summary["behaviour"]
    figures = {
        "accepted": counts["accepted"],
        "refused": sum(counts["refused"].values()),
        "submitted twice": counts["submitted_twice"],
        "in the queue": counts["IN_QUEUE"],
        "in progress": counts["IN_PROGRESS"],
        "completed": counts["COMPLETED"],
        "of these failed": counts["failed"],
        "webhooks sent": counts["webhooks_sent"],
        "acknowledged": counts["webhooks_acknowledged"],
        "billed": f"${summary['billed_usd']}",
        "balance": f"${everything['balance']}",
    }
    fields = [_field(name, value, Behaviour.model_fields[name].description or "") for name, value in behaviour]
    fields.append(_field("balance", everything["balance"], "USD left in the account"))
    return _PAGE.format(
        figures="".join(
            f"<div><b>{escape(str(value))}</b><span>{name}</span></div>" for name, value in figures.items()
        ),
        rows="".join(map(_row, newest)) or '<tr><td colspan="7">None yet</td></tr>',
        settings="".join(fields),
        quirks="".join(
            f"<tr><td><code>{name}</code></td><td>{escape(what)}</td></tr>" for name, (_, what) in QUIRKS.items()
        ),
    )


def _row(queued: QueuedRequest) -> str:
    state = queued.status if queued.status_code in (None, 200) else f"{queued.status} · {queued.status_code}"
    cells = (
        datetime.fromtimestamp(queued.created_at, UTC).strftime("%H:%M:%S"),
        queued.endpoint_id + (" (made elsewhere)" if queued.foreign else ""),
        state + (f" · {queued.error_type}" if queued.error_type else ""),
        ", ".join(f"{name}={value}" if value else name for name, value in queued.quirks.items()),
        f"{queued.webhooks_acknowledged} of {queued.webhooks_sent}",
        str(queued.status_polls + queued.result_polls),
        queued.cost_usd or "",
    )
    return (
        "<tr>"
        + "".join(f"<td{' class=num' if number > 3 else ''}>{escape(cell)}</td>" for number, cell in enumerate(cells))
        + "</tr>"
    )


def _field(name: str, value: Any, description: str) -> str:
    title = escape(description)
    if isinstance(value, bool):
        checked = " checked" if value else ""
        return f'<label title="{title}"><input type="checkbox" name="{name}" data-kind="bool"{checked}>{name}</label>'
    kind = "pair" if isinstance(value, tuple) else "text" if isinstance(value, str) else "number"
    shown = " ".join(map(str, value)) if isinstance(value, tuple) else "" if value is None else str(value)
    return f'<label title="{title}">{name}<input name="{name}" data-kind="{kind}" value="{escape(shown)}"></label>'
