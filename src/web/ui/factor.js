// The second factor of the signed-in user: setting it up, its recovery codes, switching it off.
import {call, renewUser, user} from "/client.js";
import {button, copyBox, copyLine, el, form} from "/forms.js";
import {leaveHome, showHome} from "/home.js";
import {heading, narrow, show} from "/view.js";
import {t} from "/words.js";

const MFA = "/api/v1/auth/mfa";
let isNeeded = false; // the role asks for one: nothing else can be done before

const back = () => button(t("back"), () => show(showHome), {class: "link"});
const codeField = (hint) => ({name: "totp", label: t("factorCode"), required: true, hint, complete: "one-time-code"});

export async function showFactor() {
  await renewUser().catch(() => {}); // another device may have changed it
  if (user()?.mfa_enabled) isNeeded = false;
  if (user()) show(drawFactor);
}

/** homeport answers nothing else to this user before there is a second factor. */
export function showFactorNeeded() {
  if (isNeeded) return; // several calls were refused
  isNeeded = true;
  leaveHome();
  showFactor();
}

export function leaveFactor() {
  isNeeded = false;
}

function drawFactor() {
  const isOn = user().mfa_enabled;
  return narrow(heading(t("factor")), isNeeded && el("p", {}, t("factorNeeded")), el("p", {}, t(isOn ? "factorOn" : "factorOff")),
    isOn ? offForm() : form([], {submit: t("factorBegin"), send: () => call("POST", `${MFA}/enroll`), done: showEnrolled}),
    !isNeeded && back());
}

function offForm() {
  return form([codeField(t("factorCodeHint"))], {submit: t("factorEnd"), isDanger: true,
    send: (body) => call("POST", `${MFA}/disable`, body), done: showFactor});
}

function showEnrolled(enrolled) {
  show(() => narrow(heading(t("factor")), el("p", {}, t("factorTypeIn")), copyLine(t("factorSecret"), enrolled.secret),
    el("p", {class: "value"}, enrolled.secret.match(/.{1,4}/g).join(" ")),
    el("p", {}, el("a", {href: enrolled.otpauth_uri}, t("factorOpen"))),
    form([codeField(t("factorFirstHint"))], {submit: t("factorConfirm"), send: (body) => call("POST", `${MFA}/confirm`, body),
      done: ({recovery_codes}) => showCodes(recovery_codes)}),
    button(t("cancel"), () => show(drawFactor), {class: "link"})));
}

function showCodes(codes) {
  isNeeded = false;
  show(() => narrow(heading(t("codes")), el("p", {}, t("codesSay")), copyBox(t("codes"), codes.join("\n")),
    el("div", {class: "buttons"}, button(t("print"), () => print()), button(t("codesKept"), () => show(showHome), {class: "main"}))));
}
