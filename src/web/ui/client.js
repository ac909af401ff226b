// The API: the session, calls, and the stream of changes. The tokens are kept for this tab only.
import {t} from "/words.js";

const KEEP = "homeport.session";
const SILENCE_MAX_MS = 50_000; // the stream says something every 20 seconds
const WAIT_MIN_MS = 1_000, WAIT_MAX_MS = 30_000;
const AWAY_MAX_MS = 60_000; // after a longer break the page reads everything anew

/** A call that did not succeed; fields is what data.errors said. */
export class Failure extends Error {
  constructor(status, body) {
    super(body.message ?? (status === 0 ? t("noAnswer") : t("strangeAnswer", status)));
    this.status = status;
    this.fields = body.data?.errors ?? [];
  }
}

// ---- calls

async function send(method, path, body, token) {
  const headers = {Accept: "application/json"};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const request = {method, headers, cache: "no-store", credentials: "omit", body: body && JSON.stringify(body)};
  const response = await fetch(path, request).catch(() => { throw new Failure(0, {}); });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Failure(response.status, answer);
  return answer.data;
}

/** A call that needs no sign-in. */
export const callOpen = (method, path, body) => send(method, path, body);

/** A call of the signed-in user. A token that has just run out is replaced once. */
export async function call(method, path, body) {
  const token = await freshToken();
  try {
    return await send(method, path, body, token);
  } catch (failure) {
    if (failure.status !== 401) throw failure;
    if (session?.access === token) await refresh();
    return send(method, path, body, await freshToken());
  }
}

// ---- the session

let session = JSON.parse(sessionStorage.getItem(KEEP));
let refreshing = null, refreshTimer = 0;
let onEnded = () => {};

export const user = () => session?.user;
export const whenEnded = (then) => { onEnded = then; };

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

export function end() {
  session = watcher = null;
  sessionStorage.removeItem(KEEP);
  clearTimeout(refreshTimer);
  connection?.abort();
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

function refresh() {
  const old = session;
  refreshing ??= send("POST", "/api/v1/auth/refresh", {refresh_token: old.refresh})
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
    });
    if (session?.access !== token) continue; // a new token, or signed out
    onLost();
    await new Promise((done) => setTimeout(done, wait * (0.75 + Math.random() / 2)));
    wait = Math.min(wait * 2, WAIT_MAX_MS);
  }
}

async function readStream(lastId, opened, take) {
  const headers = {Authorization: `Bearer ${await freshToken()}`};
  if (lastId) headers["Last-Event-ID"] = lastId;
  const mine = connection = new AbortController();
  let silence = setTimeout(() => mine.abort(), SILENCE_MAX_MS);
  try {
    const response = await fetch("/api/v1/events", {headers, signal: mine.signal, cache: "no-store", credentials: "omit"});
    if (!response.ok) throw new Failure(response.status, {});
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
