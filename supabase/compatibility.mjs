// Where Supabase Lite answers differently from Supabase, and how each difference is mended. Each has a test in
// tests/integration/test_supabase_lite.py.

const JSON_OID = 114;
const JSONB_OID = 3802;
const DOWNLOAD = /^\/storage\/v1\/(object|render)\/(?!info\/)/;
const SIGN_MANY = /^\/storage\/v1\/object\/sign\/[^/]+\/?$/;
const VERIFY = "/auth/v1/verify";
const POSTGRES_TIME = /"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)\+00"/g;
const NO_SUCH_OBJECT = "Either the object does not exist or you do not have access to it";

// Before it serves.
export function mendConnection(connection) {
  // It encodes JSON arguments of functions itself, and the driver then a second time: leave strings as they are.
  for (const oid of [JSON_OID, JSONB_OID]) {
    const encode = connection.driver.options.serializers[oid];
    connection.driver.options.serializers[oid] = (value) => (typeof value === "string" ? value : encode(value));
  }
  // "unknown" would make it grant ALL on every table of every schema with row level security to the API roles.
  connection.rlsState = "active";
}

// `fetch(request)` is Lite's own answer.
export async function answerAsSupabase(request, fetch) {
  const { pathname } = new URL(request.url);
  if (request.method === "POST" && SIGN_MANY.test(pathname)) return signMany(request, fetch);
  if (request.method === "POST" && pathname === VERIFY) fetch = verifying(fetch);
  const response = await fetch(request);
  if (request.method === "GET" && DOWNLOAD.test(pathname)) return ranged(request, response);
  const mended = pathname.startsWith("/auth/v1/") || pathname.startsWith("/storage/v1/");
  const json = response.headers.get("content-type")?.includes("application/json");
  return mended && json ? withBody(response, asSupabaseWrites(pathname, await response.text())) : response;
}

function asSupabaseWrites(pathname, text) {
  const rfc3339 = text.replace(POSTGRES_TIME, '"$1T$2Z"');
  return pathname.startsWith("/storage/v1/") ? rfc3339.replaceAll('"signedUrl":"/storage/v1/', '"signedURL":"/') : rfc3339;
}

function withBody(response, body, status = response.status, more = {}) {
  const headers = new Headers({ ...Object.fromEntries(response.headers), ...more });
  headers.delete("content-length");
  return new Response(body, { status, headers });
}

// It does not know the type "email", which takes the token of a confirmation or of a magic link.
function verifying(fetch) {
  return async (request) => {
    const text = await request.text();
    const headers = new Headers(request.headers);
    headers.delete("content-length");
    const as = (body) => fetch(new Request(request.url, { method: "POST", headers, body }));
    const asked = objectIn(text);
    if (asked?.type !== "email") return as(text);
    const confirmed = await as(JSON.stringify({ ...asked, type: "signup" }));
    return confirmed.status === 403 ? as(JSON.stringify({ ...asked, type: "magiclink" })) : confirmed;
  };
}

function objectIn(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// Its route for many paths is hidden behind the one for a single path.
async function signMany(request, fetch) {
  const { paths, expiresIn } = await request.json();
  const headers = new Headers(request.headers);
  headers.delete("content-length");
  const sign = async (path) => {
    const url = `${request.url.replace(/\/$/, "")}/${path.split("/").map(encodeURIComponent).join("/")}`;
    const answer = await fetch(new Request(url, { method: "POST", headers, body: JSON.stringify({ expiresIn }) }));
    const { signedUrl } = await answer.json();
    return answer.ok
      ? { path, signedURL: signedUrl.replace("/storage/v1", ""), error: null }
      : { path, signedURL: null, error: NO_SUCH_OBJECT };
  };
  return Response.json(await Promise.all(paths.map(sign)));
}

// It says that it takes ranges and sends the whole file: players could not seek, and some would not play.
async function ranged(request, response) {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(request.headers.get("range") ?? "") ?? [];
  const condition = request.headers.get("if-range");
  const validators = [response.headers.get("etag"), response.headers.get("last-modified")];
  const changed = condition && !validators.includes(condition);
  if (response.status !== 200 || changed || !(first || last)) return response;
  const file = await response.arrayBuffer();
  const size = file.byteLength;
  const start = first ? Number(first) : Math.max(0, size - Number(last));
  const end = first && last ? Math.min(Number(last), size - 1) : size - 1;
  if (start > end) return withBody(response, null, 416, { "content-range": `bytes */${size}` });
  return withBody(response, file.slice(start, end + 1), 206, { "content-range": `bytes ${start}-${end}/${size}` });
}
