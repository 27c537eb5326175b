// The mails of Supabase Lite, which sends none: each is written to the log, and the last ones are a page,
// GET /_sim/mails, for whoever tries Atelier on one machine and presses "Forgot your password?".

const KEPT = 20;
const PATH = "/_sim/mails";
const OWN_HOST = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/;
const STYLE = `:root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif;color:light-dark(#1B1E2B,#ECE7DB);background:light-dark(#FAF7F0,#12151F)}
body{max-width:40rem;margin:2rem auto;padding:0 1rem} h1{font:400 2rem/1.2 Georgia,serif} .muted{color:light-dark(#5F5B54,#A9A79F)} a{color:light-dark(#2A3CBD,#A9B4FF)}
article{margin-top:1.5rem;padding:1rem 1.25rem;border:1px solid light-dark(#DDD6C8,#313648);border-radius:.375rem;overflow-wrap:anywhere} article h2{margin:0 0 .5rem;font-size:1.125rem} article p{margin:.5rem 0}`;
const HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

export class Mailbox {
  mails = [];

  // What Lite asks of a way to deliver mails.
  async send({ to, subject, text, html }) {
    // A template is HTML. Lite writes a text beside it that is not of the template, and whose link leads elsewhere.
    const body = html.includes("/auth/v1/verify") ? text : asText(html);
    console.log(["[@supabase/lite] email captured (not delivered)", `To: ${to}`, `Subject: ${subject}`, "", body].join("\n"));
    this.mails = [{ to, subject, body, at: new Date() }, ...this.mails].slice(0, KEPT);
  }

  // The page, or null when something else was asked for. A name of somebody else's that leads here is not answered.
  answer(request) {
    const { pathname, host } = new URL(request.url);
    if (request.method !== "GET" || pathname !== PATH || !OWN_HOST.test(host)) return null;
    const mails = this.mails.map(
      ({ to, subject, body, at }) =>
        `<article><h2>${escaped(subject)}</h2><p class="muted">To ${escaped(to)} · ${at.toTimeString().slice(0, 8)}</p>${asParagraphs(body)}</article>`,
    );
    const empty = '<p class="muted">No mail yet since Supabase Lite was started. A mail is written when somebody with an account asks for a new password.</p>';
    const page = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Simulated mails</title><style>${STYLE}</style></head><body><h1>Simulated mails</h1><p class="muted">Nothing is sent from this machine. This is what people would have got, the newest first.</p>${mails.join("") || empty}</body></html>`;
    return new Response(page, { headers: { ...HEADERS } }); // the server writes the length of this page into them
  }
}

function asText(html) {
  const links = html.replace(/<a href="([^"]+)">(.*?)<\/a>/g, "$2: $1");
  const plain = links.replace(/<[^>]+>/g, "").replaceAll("&amp;", "&");
  return plain.trim().replace(/\n+/g, "\n\n");
}

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

function asParagraphs(text) {
  const linked = escaped(text).replace(/https?:\/\/[^\s<]+/g, (address) => `<a href="${address}">${address}</a>`);
  return linked.split(/\n\n+/).map((part) => `<p>${part}</p>`).join("");
}
