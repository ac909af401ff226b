// Elements, dialogs, and forms built from tables of fields.
import {refusals} from "/client.js";
import {say, t} from "/words.js";

// ---- elements

/** An element. Functions become listeners, true an empty attribute, false and null nothing. */
export function el(tag, properties, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child != null && child !== false));
  return node;
}

export function button(text, click, properties) {
  return el("button", {type: "button", click, ...properties}, text);
}

// ---- things to be copied

export function copyLine(label, text) {
  const input = el("input", {readonly: true, "aria-label": label, class: "value"});
  input.value = text;
  return copyField(label, input);
}

/** The same for several lines, of which all are in sight. */
export function copyBox(label, text) {
  return copyField(label, el("textarea", {readonly: true, "aria-label": label, class: "value", rows: text.split("\n").length}, text));
}

/* The clipboard's own interface is there on https and localhost only; a selection can be copied anywhere. */
function copyField(label, input) {
  const copy = button(t("copy"), () => {
    input.select();
    if (document.execCommand("copy")) copy.textContent = t("copied");
  }, {"aria-label": `${t("copy")}: ${label}`});
  return el("div", {class: "field"}, el("span", {class: "label"}, label), el("div", {class: "line"}, input, copy));
}

// ---- dialogs

/** Opens a dialog over the page. content(close) makes what stands in it. */
export function openDialog(title, content) {
  const opener = document.activeElement;
  const heading = el("h2", {id: nextId(), tabindex: -1}, title);
  const dialog = el("dialog", {"aria-labelledby": heading.id}, heading);
  const close = () => dialog.close();
  dialog.append(...[content(close)].flat());
  dialog.addEventListener("close", () => {
    dialog.remove();
    (opener.isConnected ? opener : document.querySelector("main h1"))?.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  (dialog.querySelector("input, select, textarea") ?? heading).focus();
  return dialog;
}

export function openForm(title, fields, options) {
  openDialog(title, (close) => form(fields, {...options, close}));
}

// ---- forms

let ids = 0;
const nextId = () => `id${ids++}`;

/* A field is {name, label, type, value, required, hint, options, when, off, complete, inputmode, action}:
 *   name      of the API; "a.b" is b within the object a
 *   type      text, email, tel, number, password, select, checkbox, area, lines (a list), map (an object)
 *   options   of a select: [value, text] pairs, or a function of the form's values that gives them
 *   when      a function of the form's values: the field is there only while it says so
 *   off       what to send while the field is not there; default: nothing
 *   action    {text, run}: a button beside it; run(value) gives the sentence to be said, and the next field has the focus
 * send(body) makes the call, done(answer) follows when it went well, refused(failure) may make of a failure
 * {message, fields, focus: name of a field}. With isEdit, empty fields are sent as null, but not those within
 * objects; without, not at all. */
export function form(fields, {submit, send, done, refused, close, isEdit, isDanger, note}) {
  const rows = fields.map(makeRow);
  rows.filter((row) => row.field.action).forEach((row) => addAction(row, rows));
  const problem = el("p", {class: "problem", role: "alert", tabindex: -1});
  const submitButton = el("button", {type: "submit", class: isDanger ? "danger" : "main"}, submit);
  const node = el("form", {novalidate: true}, note && el("p", {}, note), rows.map((row) => row.node), problem,
    el("footer", {}, close && button(t("cancel"), close), submitButton));
  const arrange = () => arrangeRows(rows);
  node.addEventListener("input", arrange);
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (submitButton.disabled) return;
    arrange();
    problem.textContent = "";
    const isComplete = checkRequired(rows);
    if (!isComplete) return;
    submitButton.disabled = true;
    submitButton.textContent = t("busy");
    try {
      const answer = await send(bodyOf(rows, isEdit));
      close?.();
      done?.(answer);
    } catch (failure) {
      const shown = refused?.(failure) ?? failure;
      arrange();
      if (node.isConnected) showFailure(rows, problem, shown);
    } finally {
      submitButton.disabled = false;
      submitButton.textContent = submit;
    }
  });
  arrange();
  return node;
}

function makeRow(field) {
  const id = nextId();
  const input = makeInput(field, {id, name: field.name, autocomplete: field.complete ?? "off", "aria-required": field.required && "true",
    "aria-describedby": `${id}h ${id}e`, spellcheck: "false", autocapitalize: "none"});
  const isCheckbox = field.type === "checkbox";
  const label = el("label", {for: id}, field.label, !field.required && !isCheckbox && field.type !== "select" &&
    el("span", {class: "quiet"}, ` (${t("optional")})`));
  const error = el("p", {class: "problem", id: `${id}e`});
  const reveal = field.type === "password" && button(t("reveal"), () => {
    input.type = input.type === "password" ? "text" : "password";
    reveal.textContent = t(input.type === "password" ? "reveal" : "conceal");
  }, {"aria-controls": id});
  const line = el("div", {class: isCheckbox ? "check" : "line"}, input, isCheckbox ? label : reveal);
  return {field, input, error, node: el("div", {class: "field"}, !isCheckbox && label, line,
    el("p", {class: "hint", id: `${id}h`}, field.hint ?? ""), error)};
}

function makeInput(field, properties) {
  const {type, value} = field;
  if (type === "select") return el("select", properties);
  if (type === "checkbox") {
    const input = el("input", {...properties, type});
    input.checked = Boolean(value);
    return input;
  }
  if (type === "area" || type === "lines" || type === "map") {
    return el("textarea", {...properties, rows: 3}, type === "lines" ? (value ?? []).join("\n") : value ?? "");
  }
  const input = el("input", {...properties, type: type === "number" ? "text" : type ?? "text", inputmode: type === "number" ? "numeric" : field.inputmode});
  input.value = value ?? "";
  return input;
}

function addAction(row, rows) {
  const {name, action} = row.field;
  const said = el("p", {class: "quiet", role: "status"});
  const run = button(action.text, async () => {
    const value = valueOf(row).trim();
    said.textContent = "";
    mark(row, value ? "" : t("required"));
    if (!value) return row.input.focus();
    run.disabled = true;
    try {
      said.textContent = await action.run(value);
      rows[rows.indexOf(row) + 1].input.focus();
    } catch (failure) {
      const own = failure.fields?.find((one) => one.field === name);
      mark(row, own ? say(own.reason) : explain(failure));
      row.input.focus();
    } finally {
      run.disabled = false;
    }
  });
  row.input.after(run);
  row.node.append(said);
}

const valueOf = ({field, input}) => (field.type === "checkbox" ? input.checked : input.value);

/* Shows and hides fields by what the others say, and fills selects. From the first to the last: a field depends on
 * those above it. */
function arrangeRows(rows) {
  const values = {};
  for (const row of rows) {
    const {field, input} = row;
    row.isOff = field.when !== undefined && !field.when(values);
    row.node.hidden = row.isOff;
    if (field.type === "select" && !row.isOff) fillSelect(row, values);
    if (!row.isOff) values[field.name] = valueOf(row);
  }
}

function fillSelect(row, values) {
  const {field, input} = row;
  const options = typeof field.options === "function" ? field.options(values) : field.options;
  const key = JSON.stringify(options);
  if (row.optionsKey === key) return;
  const chosen = row.optionsKey === undefined ? field.value : input.value;
  row.optionsKey = key;
  input.replaceChildren(...options.map(([value, text]) => el("option", {value}, text)));
  if (options.some(([value]) => value === chosen)) input.value = chosen;
}

// ---- what a form says

function bodyOf(rows, isEdit) {
  const body = {};
  for (const row of rows) {
    const path = row.field.name.split(".");
    const last = path.pop();
    const value = row.isOff ? row.field.off : sentValue(row, isEdit && path.length === 0);
    if (value === undefined) continue;
    path.reduce((object, name) => (object[name] ??= {}), body)[last] = value;
  }
  return body;
}

function sentValue({field, input}, isEdit) {
  if (field.type === "checkbox") return input.checked;
  const text = field.type === "password" ? input.value : input.value.trim();
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  if (field.type === "lines") return lines;
  if (text === "") return isEdit ? null : undefined;
  if (field.type === "map") return Object.fromEntries(lines.map((line) => line.split(/:\s*(.*)/s, 2)));
  return field.type === "number" && /^\d+$/.test(text) ? Number(text) : text;
}

// ---- what is wrong with it

function mark(row, reason) {
  row.error.textContent = reason;
  if (reason) row.input.setAttribute("aria-invalid", "true");
  else row.input.removeAttribute("aria-invalid");
}

function checkRequired(rows) {
  const missing = rows.filter((row) => row.field.required && !row.isOff && valueOf(row) === "");
  rows.forEach((row) => mark(row, missing.includes(row) ? t("required") : ""));
  missing[0]?.input.focus();
  return missing.length === 0;
}

/** What a failure says to a person. */
export function explain({message, status, code, retryAfter}) {
  if (code === refusals.CAPTCHA_NEEDED) return t("captchaNeeded");
  const sentence = say(message);
  if (!retryAfter || (status !== 429 && code !== refusals.BANNED)) return sentence;
  return `${sentence} · ${retryAfter > 90 ? t("againInMinutes", Math.ceil(retryAfter / 60)) : t("againInSeconds", retryAfter)}`;
}

function showFailure(rows, problem, failure) {
  const parts = [explain(failure)].filter(Boolean);
  let first = null;
  for (const {field, reason} of failure.fields ?? []) {
    const row = rows.find((one) => one.field.name === field && !one.isOff);
    if (row) mark(row, say(reason));
    else parts.push(`${field}: ${say(reason)}`);
    first ??= row?.input;
  }
  first ??= rows.find((one) => one.field.name === failure.focus && !one.isOff)?.input;
  problem.textContent = parts.join(" · ");
  (first ?? problem).focus();
}
