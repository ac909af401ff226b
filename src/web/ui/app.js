// The page: who is there, and what is in sight. What a domain, source or record looks like stands in home.js.
import {begin, callOpen, signOut, user, whenEnded} from "/client.js";
import {button, el, form} from "/forms.js";
import {leaveHome, showHome} from "/home.js";
import {switchLanguage, t} from "/words.js";

const byId = (id) => document.getElementById(id);
let view = null; // the function that draws what is in sight, again in another language

/** Draws a view; the focus moves to its heading. */
function show(draw) {
  view = draw;
  byId("live").textContent = byId("alert").textContent = byId("status").textContent = "";
  const nodes = draw();
  byId("main").replaceChildren(...nodes);
  const heading = byId("main").querySelector("h1");
  document.title = `${heading.textContent} · homeport`;
  drawFrame();
  heading.focus();
}

function drawFrame() {
  byId("nav").replaceChildren(...[
    el("a", {href: "/docs"}, "API"),
    button(t("switchLanguage"), () => {
      switchLanguage();
      show(view);
    }),
    user() && el("span", {class: "who"}, user().username),
    user() && button(t("signOut"), async () => {
      await signOut();
      leave();
    }),
  ].filter(Boolean));
}

// ---- signing in

const heading = (text) => el("h1", {tabindex: -1}, text);

const accountFields = () => [
  {name: "username", label: t("username"), required: true, complete: "username"},
  {name: "email", label: t("email"), type: "email", required: true, complete: "email"},
  {name: "password", label: t("password"), type: "password", required: true, hint: t("passwordHint"), complete: "new-password"},
];

function enterBy(path) {
  return {send: (body) => callOpen("POST", path, body), done: enter};
}

function drawSetup(token) {
  const fields = [{name: "token", label: t("token"), required: true, value: token}, ...accountFields()];
  return [el("section", {class: "card narrow"}, heading(t("setup")), el("p", {}, t("setupSay")),
    form(fields, {submit: t("setupSend"), ...enterBy("/api/v1/setup")}))];
}

function drawRegister() {
  return [el("section", {class: "card narrow"}, heading(t("register")),
    form(accountFields(), {submit: t("register"), ...enterBy("/api/v1/auth/register")}),
    button(t("toSignIn"), () => show(drawSignIn), {class: "link"}))];
}

function drawSignIn() {
  const fields = [
    {name: "account", label: t("account"), required: true, complete: "username"},
    {name: "password", label: t("password"), type: "password", required: true, complete: "current-password"},
  ];
  return [el("section", {class: "card narrow"}, heading(t("signIn")),
    form(fields, {submit: t("signIn"), ...enterBy("/api/v1/auth/login")}),
    button(t("register"), () => show(drawRegister), {class: "link"}))];
}

// ---- coming and going

function enter(tokens) {
  if (tokens) begin(tokens);
  show(showHome);
}

function leave(why = "") {
  leaveHome();
  document.querySelectorAll("dialog").forEach((dialog) => dialog.close());
  show(drawSignIn);
  byId("alert").textContent = why;
}

async function start() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
  if (token) history.replaceState(null, "", location.pathname);
  whenEnded(() => leave(t("ended")));
  if (user()) return enter();
  try {
    await callOpen("GET", "/api/v1/setup");
    show(() => drawSetup(token));
  } catch (failure) {
    show(drawSignIn);
    if (failure.status !== 404) byId("alert").textContent = failure.message;
  }
}

start();
