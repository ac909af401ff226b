// The view of a signed-in user: addresses, domains with their records, keys; kept up to date by events.
// Everything in sight stands in the tables below, by id; put() and drop() keep what is drawn equal to them.
import {call, refusals, renewUser, stopWatching, user, watch} from "/client.js";
import {button, copyLine, el, explain, openDialog, openForm} from "/forms.js";
import {fillMailLine} from "/mail.js";
import {tell} from "/view.js";
import {t, say, time} from "/words.js";
import {domainFields, domainEditFields, keyFields, recordFields, sourceEditFields, sourceFields} from "/fields.js";

const API = "/api/v1";
const PAGE = 100, AT_ONCE = 8, STATUS_SHOWN_MS = 10_000;

const sources = new Map(), domains = new Map(), records = new Map(), keys = new Map();
const drawn = new Map(); // id -> what draw() made of it
const whole = new Set(), partial = new Set(); // domains whose records are all wanted; that have more than are here
let providers = [];
let counts = {}; // records by state
let places = {}; // where lists go
let isWatching = false, isLoaded = false;

/* The kinds of things that events name. */
const kinds = {
  source: {path: `${API}/ddns/sources`, all: sources, draw: drawSource, fill: fillSource, place: () => places.sources},
  domain: {path: `${API}/domains`, all: domains, draw: drawDomain, fill: fillDomain, place: () => places.domains},
  dns_record: {path: `${API}/records`, all: records, draw: drawRecord, fill: fillRecord,
    place: (record) => drawn.get(record.domain_id)?.list},
  api_key: {path: `${API}/api-keys`, all: keys, draw: drawKey, fill: fillKey, place: () => places.keys},
};

// ---- the view

export function showHome() {
  drawn.clear();
  places = {};
  const section = (name, title, buttons, emptyText, list) => {
    places[name] = list;
    const empty = el("p", {class: "empty", hidden: true}, emptyText);
    drawn.set(name, {empty});
    return el("section", {"aria-labelledby": `${name}-title`},
      el("div", {class: "bar"}, el("h2", {id: `${name}-title`}, title), el("div", {class: "buttons"}, buttons)), empty, list);
  };
  places.counts = el("p", {class: "counts"});
  places.mail = el("div", {});
  fillMailLine(places.mail);
  const nodes = [
    el("h1", {tabindex: -1, class: "unseen"}, t("home")), places.mail,
    section("sources", t("sources"), button(t("addSource"), addSource), t("noSources"), el("ul", {class: "tiles"})),
    section("domains", t("domains"), [button(t("syncAll"), syncAll), button(t("addDomain"), addDomain)], t("noDomains"), el("div", {})),
    section("keys", t("keys"), button(t("addKey"), addKey), t("noKeys"), el("ul", {class: "tiles"})),
  ];
  places.domains.before(places.counts);
  for (const kind of Object.values(kinds)) for (const thing of kind.all.values()) drawThing(kind, thing);
  drawCounts();
  if (isLoaded) afterChange();
  else tell("live", t("loading"));
  if (!isWatching) follow();
  else if (isLoaded) tell("live", t("live"));
  return nodes;
}

export function leaveHome() {
  stopWatching();
  for (const kind of Object.values(kinds)) kind.all.clear();
  drawn.clear();
  [waiting, whole, partial].forEach((all) => all.clear());
  counts = {};
  isLoaded = isWatching = false;
}

let statusTimer = 0;
function announce(text) {
  tell("status", text);
  clearTimeout(statusTimer);
  statusTimer = setTimeout(() => tell("status", ""), STATUS_SHOWN_MS);
}

/* A button's work: what goes wrong is said at the foot of the page. */
async function act(work) {
  tell("alert", "");
  try {
    return await work();
  } catch (failure) {
    if (user() && failure.code !== refusals.MFA_ENROLL) tell("alert", [explain(failure), ...(failure.fields ?? []).map((e) => `${e.field}: ${say(e.reason)}`)].join(" · "));
  }
}

// ---- keeping up

function put(kind, thing) {
  if (!user()) return; // an answer that comes after the sign-out
  if (kind === kinds.source && thing.user_id !== user()?.id) return; // an operator hears of others' sources too
  if (thing.is_revoked) return drop(kind, thing.id);
  kind.all.set(thing.id, thing);
  drawThing(kind, thing);
  if (kind !== kinds.source) return;
  for (const record of records.values()) if (record.source_id === thing.id) drawThing(kinds.dns_record, record);
}

function drawThing(kind, thing) {
  const place = kind.place(thing);
  if (!place) return;
  if (!drawn.has(thing.id)) {
    const view = kind.draw(thing);
    drawn.set(thing.id, view);
    place.append(view.node);
  }
  kind.fill(drawn.get(thing.id), thing);
}

function drop(kind, id) {
  kind.all.delete(id);
  drawn.get(id)?.node.remove();
  drawn.delete(id);
  if (kind !== kinds.domain) return;
  for (const record of records.values()) if (record.domain_id === id) drop(kinds.dns_record, record.id);
}

function afterChange() {
  for (const [name, all] of Object.entries({sources, domains, keys})) drawn.get(name).empty.hidden = all.size > 0;
  for (const domain of domains.values()) fillDomain(drawn.get(domain.id), domain);
}

/* Everything there is of a list, or its first page. Things that are gone leave. */
async function load(kind, path, {isWhole = true, belongs = () => true} = {}) {
  const seen = new Set();
  let cursor = null;
  do {
    const page = await call("GET", `${path}?limit=${PAGE}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    page.items.forEach((thing) => { seen.add(thing.id); put(kind, thing); });
    cursor = page.next_cursor;
  } while (cursor && isWhole);
  for (const thing of [...kind.all.values()]) if (!seen.has(thing.id) && belongs(thing)) drop(kind, thing.id);
  return {cursor};
}

async function loadRecords(domain) {
  const {cursor} = await load(kinds.dns_record, `${API}/domains/${domain.id}/records`,
    {isWhole: whole.has(domain.id), belongs: (record) => record.domain_id === domain.id});
  if (cursor) partial.add(domain.id);
  else partial.delete(domain.id);
}

async function loadCounts() {
  counts = (await call("GET", `${API}/ddns/status`)).records;
  drawCounts();
}

function drawCounts() {
  const shown = Object.entries(counts).filter(([, count]) => count > 0);
  places.counts.replaceChildren(...shown.map(([status, count]) =>
    el("span", {class: `badge ${status}`}, `${count} ${t(`status.${status}`)}`)));
}

async function loadAll() {
  if (providers.length === 0) providers = (await call("GET", `${API}/ddns/providers`)).items;
  await Promise.all([kinds.source, kinds.domain, kinds.api_key].map((kind) => load(kind, kind.path)));
  for (const domain of domains.values()) await loadRecords(domain);
  await loadCounts();
  isLoaded = true;
  afterChange();
  catchUp();
}

function follow() {
  isWatching = true;
  tell("live", t("connecting"));
  watch({
    onOpen: (isGap) => {
      tell("live", t("live"));
      if (isGap || !isLoaded) act(loadAll);
    },
    onLost: () => {
      tell("live", t("offline"));
      if (!isLoaded) act(loadAll);
    },
    onChange: ({type, action, id}) => {
      if (type === "user" && id === user()?.id) renewUser().then(() => fillMailLine(places.mail), () => {});
      if (!kinds[type]) return;
      if (action === "remove") return forget(kinds[type], id);
      waiting.set(id, type);
      if (isLoaded) catchUp();
    },
  });
}

function forget(kind, id) {
  waiting.delete(id);
  drop(kind, id);
  if (isLoaded) afterChange();
  if (isLoaded) loadCounts().catch(() => {});
}

/* Events name what has changed; it is read again, each thing once however many events name it. */
const waiting = new Map(); // id -> kind
let isCatchingUp = false;

async function catchUp() {
  if (isCatchingUp) return;
  isCatchingUp = true;
  while (waiting.size > 0) {
    const some = [...waiting].slice(0, AT_ONCE);
    some.forEach(([id]) => waiting.delete(id));
    await Promise.all(some.map(([id, type]) => readAgain(type, id).catch(() => {})));
    if (waiting.size === 0) await loadCounts().catch(() => {});
  }
  isCatchingUp = false;
  if (isLoaded) afterChange();
}

async function readAgain(type, id) {
  const kind = kinds[type];
  if (kind === kinds.api_key) return load(kind, kind.path);
  try {
    const thing = await call("GET", `${kind.path}/${id}`);
    const before = kind.all.get(id);
    put(kind, thing);
    if (kind === kinds.domain && !before) await loadRecords(thing);
    if (kind === kinds.dns_record) announceRecord(before, thing);
  } catch (failure) {
    if (failure.status !== 404) throw failure;
    drop(kind, id);
  }
}

function announceRecord(before, now) {
  const isNews = now.sync_status !== before?.sync_status && now.sync_status !== "pending";
  if (isNews) announce(t("nowIs", nameOf(now), t(`status.${now.sync_status}`), now.last_error ?? now.value ?? ""));
}

// ---- small parts

const badge = (status) => el("span", {class: `badge ${status}`}, t(`status.${status}`));
const problem = (text) => text && el("p", {class: "problem"}, say(text));

/* A button that says to a screen reader what it belongs to. */
const actOn = (name, of, click, properties) => button(t(name), click, {"aria-label": `${t(name)}: ${of}`, ...properties});

function setContent(node, ...children) {
  node.replaceChildren(...children.filter(Boolean));
}

function fullName(record) {
  const zone = domains.get(record.domain_id)?.name ?? "";
  return record.name === "@" ? zone : `${record.name}.${zone}`;
}

const nameOf = (record) => `${fullName(record)} ${record.type}`;

function confirmDelete(kind, id, name, {say: sentence, fields = [], path = () => `${kind.path}/${id}`}) {
  openForm(t("ask", name), fields, {
    note: sentence, submit: t("delete"), isDanger: true,
    send: (body) => call("DELETE", path(body)),
    done: () => {
      drop(kind, id);
      announce(t("deleted", name));
      afterChange();
    },
  });
}

/* A form that makes or changes a thing, which then is in sight whether its event has come or not. */
function openThingForm(kind, title, fields, {submit = t("save"), ...options}) {
  openForm(title, fields, {submit, ...options, done: (thing) => {
    put(kind, thing);
    afterChange();
    if (!options.isEdit) drawn.get(thing.id)?.node.scrollIntoView({block: "nearest"});
  }});
}

// ---- sources

function drawSource({id, kind}) {
  const what = el("div", {});
  const name = () => sources.get(id).name;
  const isGiven = kind === "fixed" || kind === "pushed";
  const node = el("li", {class: "card tile"}, what, el("div", {class: "buttons"},
    actOn(isGiven ? "changeAddress" : "edit", name(), () => editSource(sources.get(id))),
    actOn("delete", name(), () => confirmDelete(kinds.source, id, name(), {say: t("askSource")}))));
  return {node, what};
}

function fillSource({what}, source) {
  setContent(what,
    el("h3", {}, source.name),
    el("p", {class: "address"}, source.address ?? t("unknownAddress")),
    el("p", {class: "quiet"}, `${t(`kind.${source.kind}`)} · ${source.family === "ipv4" ? "IPv4" : "IPv6"}`),
    source.address_since && el("p", {class: "quiet"}, t("since", time(source.address_since))),
    problem(source.last_error));
}

function addSource() {
  openThingForm(kinds.source, t("addSource"), sourceFields(),
    {submit: t("addSource"), send: (body) => call("POST", kinds.source.path, body)});
}

function editSource(source) {
  openThingForm(kinds.source, t("editSource", source.name), sourceEditFields(source),
    {isEdit: true, send: (body) => call("PATCH", `${kinds.source.path}/${source.id}`, body)});
}

// ---- domains

const providerOf = (domain) => providers.find((one) => one.name === domain.provider);

function drawDomain({id, name}) {
  const what = el("div", {}), list = el("ul", {class: "records", "aria-label": name});
  const empty = el("p", {class: "empty", hidden: true}, t("noRecords"));
  const view = {what, list, empty};
  view.importButton = actOn("import", name, () => importDomain(domains.get(id)));
  view.more = button(t("more"), () => act(async () => {
    whole.add(id);
    await loadRecords(domains.get(id));
    afterChange();
  }));
  view.node = el("article", {class: "card"}, el("div", {class: "bar"}, what, el("div", {class: "buttons"},
    actOn("addRecord", name, () => addRecord(domains.get(id))), view.importButton,
    actOn("settings", name, () => editDomain(domains.get(id))),
    actOn("delete", name, () => deleteDomain(domains.get(id))))), empty, list, view.more);
  return view;
}

function fillDomain(view, domain) {
  const provider = providerOf(domain);
  setContent(view.what,
    el("h3", {}, domain.name),
    el("p", {class: "quiet"}, say(provider?.title ?? domain.provider), !domain.is_active && ` · ${t("inactive")}`),
    problem(domain.last_error));
  view.importButton.hidden = !provider?.can_import;
  view.empty.hidden = view.list.children.length > 0;
  view.more.hidden = !partial.has(domain.id);
}

function addDomain() {
  openThingForm(kinds.domain, t("addDomain"), domainFields(providers),
    {submit: t("addDomain"), send: (body) => call("POST", kinds.domain.path, body)});
}

function editDomain(domain) {
  openThingForm(kinds.domain, t("editDomain", domain.name), domainEditFields(domain, providerOf(domain)), {
    isEdit: true,
    send: ({replace, ...body}) => call("PATCH", `${kinds.domain.path}/${domain.id}`, body),
  });
}

function deleteDomain(domain) {
  confirmDelete(kinds.domain, domain.id, domain.name, {
    say: t("askDomain"),
    fields: [{name: "at_provider", label: t("atProvider"), type: "checkbox"}],
    path: (body) => `${kinds.domain.path}/${domain.id}${body.at_provider ? "?at_provider=true" : ""}`,
  });
}

function importDomain(domain) {
  act(async () => {
    await call("POST", `${kinds.domain.path}/${domain.id}/import`);
    announce(t("importing", domain.name));
  });
}

function syncAll() {
  act(async () => announce(t("syncingAll", (await call("POST", `${API}/ddns/sync`)).records)));
}

// ---- records

function drawRecord({id}) {
  const what = el("div", {class: "what"}), state = el("div", {class: "state"});
  const now = () => records.get(id);
  const name = nameOf(now());
  const node = el("li", {class: "record"}, what, state, el("div", {class: "buttons"},
    actOn("sync", name, () => act(async () => put(kinds.dns_record, await call("POST", `${kinds.dns_record.path}/${id}/sync`)))),
    actOn("edit", name, () => editRecord(now())),
    actOn("history", name, () => showHistory(now())),
    actOn("delete", name, () => confirmDelete(kinds.dns_record, id, nameOf(now()), {say: t("askRecord")}))));
  return {node, what, state};
}

function fillRecord({what, state}, record) {
  const source = sources.get(record.source_id)?.name ?? record.source_id;
  setContent(what,
    el("p", {}, el("strong", {}, record.name), " ", el("span", {class: "quiet"}, record.type)),
    el("p", {class: "value"}, record.value ?? t("noValue")),
    record.dynamic && el("p", {class: "quiet"}, record.source_id ? t("follows", source) : t("followsRouter")));
  setContent(state,
    badge(record.sync_status),
    record.sync_status === "synced" && record.synced_at && el("p", {class: "quiet"}, t("syncedAt", time(record.synced_at))),
    problem(record.last_error));
}

function addRecord(domain) {
  openThingForm(kinds.dns_record, t("addRecordTo", domain.name), recordFields({domain, sources}), {
    submit: t("addRecord"),
    send: (body) => call("POST", `${kinds.domain.path}/${domain.id}/records`, body),
  });
}

function editRecord(record) {
  openThingForm(kinds.dns_record, t("editRecord", nameOf(record)), recordFields({domain: domains.get(record.domain_id), sources, record}),
    {isEdit: true, send: (body) => call("PATCH", `${kinds.dns_record.path}/${record.id}`, body)});
}

function showHistory(record) {
  const list = el("ol", {class: "history"}), wrong = el("p", {class: "problem", role: "alert"});
  const more = button(t("more"), () => read(more.dataset.cursor), {hidden: true});
  const read = async (cursor) => {
    try {
      const query = cursor ? `?cursor=${encodeURIComponent(cursor)}` : "";
      const page = await call("GET", `${kinds.dns_record.path}/${record.id}/history${query}`);
      list.append(...page.items.map(historyLine));
      more.hidden = page.next_cursor === null;
      more.dataset.cursor = page.next_cursor ?? "";
      if (page.total === 0) list.before(el("p", {class: "empty"}, t("noHistory")));
    } catch (failure) {
      wrong.textContent = explain(failure);
    }
  };
  openDialog(t("historyOf", nameOf(record)), (close) => [list, wrong, el("footer", {}, more, button(t("close"), close))]);
  read();
}

function historyLine(line) {
  return el("li", {},
    el("p", {}, el("strong", {class: "value"}, line.value), " ",
      el("span", {class: `badge ${line.result === "failed" ? "error" : "synced"}`}, t(`result.${line.result}`))),
    el("p", {class: "quiet"}, `${time(line.finished_at)} · ${t(`reason.${line.reason}`)} · ${t("took", line.duration_ms, line.attempts)}`,
      line.answer && ` · ${line.answer}`),
    problem(line.error));
}

// ---- keys

function drawKey({id, name}) {
  const what = el("div", {});
  const node = el("li", {class: "card tile"}, what, el("div", {class: "buttons"},
    actOn("delete", name, () => confirmDelete(kinds.api_key, id, name, {say: t("askKey")}))));
  return {node, what};
}

function fillKey({what}, key) {
  setContent(what,
    el("h3", {}, key.name),
    el("p", {class: "quiet"}, `${key.scopes.join(", ")} · ${key.last_used_at ? t("lastUsed", time(key.last_used_at)) : t("neverUsed")}`));
}

function addKey() {
  openForm(t("addKey"), keyFields(), {
    submit: t("addKey"),
    send: (body) => call("POST", kinds.api_key.path, {...body, scopes: ["ddns:write"]}),
    done: (made) => {
      put(kinds.api_key, {...made, last_used_at: null});
      afterChange();
      showKey(made.key);
    },
  });
}

/* Names that a router may update: their records take its word, or follow a source that does. */
function routerNames() {
  const takes = (record) => record.dynamic && (!record.source_id || sources.get(record.source_id)?.kind === "pushed");
  return [...new Set([...records.values()].filter(takes).map(fullName))];
}

function showKey(key) {
  const names = routerNames();
  const host = names.slice(0, 20).join(",") || "home.example.com";
  const url = `${location.protocol}//router:${key}@${location.host}/nic/update?hostname=${host}&myip=<ipaddr>`;
  openDialog(t("keyMade"), (close) => [
    el("p", {}, t("keyOnce")), copyLine(t("keyUrl"), url), el("p", {class: "hint"}, t("keyUrlHint")),
    names.length === 0 && el("p", {class: "hint"}, t("keyNoNames")),
    copyLine(t("keyUser"), "router"), copyLine(t("keyPassword"), key), el("footer", {}, button(t("close"), close)),
  ].filter(Boolean));
}
