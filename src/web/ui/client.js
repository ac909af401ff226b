// The API: the session, calls, and the stream of changes. The tokens are kept for this tab only.
import {t} from "/words.js";

const KEEP = "homeport.session";
const SILENCE_MAX_MS = 50_000; // the stream says something every 20 seconds
const WAIT_MIN_MS = 1_000, WAIT_MAX_MS = 30_000;
const AWAY_MAX_MS = 60_000; // after a longer break the page reads everything anew

/** Codes of refusals that the page has an answer to. */
export const refusals = {MFA_NEEDED: 401009, MFA_WRONG: 401010, BANNED: 403006, CAPTCHA_NEEDED: 403007, MFA_ENROLL: 403009, MAIL_OFF: 409004};

/** A call that did not succeed; fields is what data.errors said, retryAfter in seconds. */
export class Failure extends Error {
  constructor(status, body, retryAfter = 0) {
    super(body.message ?? (status === 0 ? t("noAnswer") : t("strangeAnswer", status)));
    this.status = status;
    this.code = body.code ?? 0;
    this.fields = body.data?.errors ?? [];
    this.retryAfter = retryAfter;
  }
}

// ---- calls

async function send(method, path, body, token) {
  const headers = {Accept: "application/json"};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const request = {method, headers, cache: "no-store", credentials: "omit", body: body && JSON.stringify(body)};
  const response = await fetch(path, request).catch(() => { throw new Failure(0, {}); });
  if (!response.ok) throw await failureOf(response);
  return (await response.json().catch(() => ({}))).data;
}

async function failureOf(response) {
  const answer = await response.json().catch(() => ({}));
  return new Failure(response.status, answer, Number(response.headers.get("Retry-After")));
}

/** A call that needs no sign-in. */
export const callOpen = (method, path, body) => send(method, path, body);

/** A call of the signed-in user. A token that has just run out is replaced once. */
export async function call(method, path, body) {
  const token = await freshToken();
  try {
    return await send(method, path, body, token);
  } catch (failure) {
    if (failure.code === refusals.MFA_ENROLL && session) onMustEnroll();
    if (failure.status !== 401) throw failure;
    if (session?.access === token) await refresh();
    return send(method, path, body, await freshToken());
  }
}

// ---- the session

let session = JSON.parse(sessionStorage.getItem(KEEP));
let refreshing = null, refreshTimer = 0;
let onEnded = () => {}, onMustEnroll = () => {};

export const user = () => session?.user;
export const whenEnded = (then) => { onEnded = then; };
/** When the user's role asks for a second factor and there is none: all else is refused. */
export const whenMustEnroll = (then) => { onMustEnroll = then; };

/** Takes the answer of a sign-in or refresh. */
export function begin(tokens) {
  session = {
    access: tokens.access_token,
    refresh: tokens.refresh_token,
    until: Date.now() + tokens.expires_in * 1000,
    user: tokens.user,
  };
  sessionStorage.setItem(KEEP, JSON.stringify(session));
  planRefresh();
  connection?.abort(); // the stream goes on with the new token
}

/** Reads the user's own account again. */
export async function renewUser() {
  const fresh = await call("GET", "/api/v1/users/me");
  if (session?.user.id !== fresh.id) return; // signed out meanwhile
  session.user = fresh;
  sessionStorage.setItem(KEEP, JSON.stringify(session));
}

export function end() {
  session = null;
  sessionStorage.removeItem(KEEP);
  clearTimeout(refreshTimer);
  stopWatching();
}

export async function signOut() {
  await call("POST", "/api/v1/auth/logout", {}).catch(() => {});
  end();
}

function planRefresh() {
  const left = session.until - Date.now();
  clearTimeout(refreshTimer);
  refreshTimer = setTimeout(() => refresh().catch(() => {}), Math.max(left - Math.min(60_000, left / 3), 1_000));
}
if (session) planRefresh();

/* A device has no refresh token: it shows the one it has. */
function refresh() {
  const old = session;
  const shown = old.refresh ? [{refresh_token: old.refresh}] : [{}, old.access];
  refreshing ??= send("POST", "/api/v1/auth/refresh", ...shown)
    .then((tokens) => session === old && begin(tokens))
    .catch((failure) => {
      if (failure.status === 401 && session === old) {
        end();
        onEnded();
      }
      throw failure;
    })
    .finally(() => { refreshing = null; });
  return refreshing;
}

async function freshToken() {
  if (session && Date.now() > session.until - 2_000) await refresh();
  if (!session) throw new Failure(401, {message: t("ended")});
  return session.access;
}

// ---- changes

let watcher = null; // the watch() that is on; an older one stops
let connection = null; // AbortController of the stream that is open

/** Reads /api/v1/events until the session ends. onOpen(isGap) comes with every connection: after a gap, things
 *  may have changed that no event will tell. onChange({type, action, id}) comes with every event. */
export async function watch({onOpen, onLost, onChange}) {
  const me = watcher = {};
  let lastId = "", wait = WAIT_MIN_MS, seenAt = 0;
  const opened = () => {
    onOpen(lastId === "" || Date.now() - seenAt > AWAY_MAX_MS);
    wait = WAIT_MIN_MS;
  };
  const take = (block) => {
    const event = readEvent(block);
    seenAt = Date.now();
    if (event.data) onChange(JSON.parse(event.data));
    if (event.id) lastId = event.id;
  };
  while (session && watcher === me) {
    const token = session.access;
    await readStream(lastId, opened, take).catch(async (failure) => {
      if (failure.status === 401 && session?.access === token) await refresh().catch(() => {});
      if (failure.code === refusals.MFA_ENROLL && watcher === me) onMustEnroll();
    });
    if (session?.access !== token || watcher !== me) continue; // a new token, or signed out
    onLost();
    await new Promise((done) => setTimeout(done, wait * (0.75 + Math.random() / 2)));
    wait = Math.min(wait * 2, WAIT_MAX_MS);
  }
}

export function stopWatching() {
  watcher = null;
  connection?.abort();
}

async function readStream(lastId, opened, take) {
  const headers = {Authorization: `Bearer ${await freshToken()}`};
  if (lastId) headers["Last-Event-ID"] = lastId;
  const mine = connection = new AbortController();
  let silence = setTimeout(() => mine.abort(), SILENCE_MAX_MS);
  try {
    const response = await fetch("/api/v1/events", {headers, signal: mine.signal, cache: "no-store", credentials: "omit"});
    if (!response.ok) throw await failureOf(response);
    opened();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ;) {
      const {value, done} = await reader.read();
      if (done) return;
      clearTimeout(silence);
      silence = setTimeout(() => mine.abort(), SILENCE_MAX_MS);
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      blocks.forEach(take);
    }
  } finally {
    clearTimeout(silence);
    mine.abort();
  }
}

function readEvent(block) {
  const event = {id: "", data: ""};
  for (const line of block.split("\n")) {
    const [, name, value] = /^(id|data): ?(.*)$/.exec(line) ?? [];
    if (name) event[name] += value;
  }
  return event;
}
