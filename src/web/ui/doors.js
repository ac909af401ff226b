// The views of somebody who is not signed in: setup, registering, signing in, a forgotten password, links from mails.
import {Failure, callOpen, refusals} from "/client.js";
import {button, el, form} from "/forms.js";
import {noteMail} from "/mail.js";
import {heading, narrow, show} from "/view.js";
import {say, t, usedLanguage} from "/words.js";

const AUTH = "/api/v1/auth";
let onEntered = () => {};

/** What follows when somebody has signed in: then(tokens). */
export const whenEntered = (then) => { onEntered = then; };

const enterBy = (path) => ({send: (body) => callOpen("POST", path, body), done: (tokens) => onEntered(tokens)});
const link = (text, draw) => button(text, () => show(draw), {class: "link"});

const accountFields = () => [
  {name: "username", label: t("username"), required: true, complete: "username"},
  {name: "email", label: t("email"), type: "email", required: true, complete: "email"},
  {name: "password", label: t("password"), type: "password", required: true, hint: t("passwordHint"), complete: "new-password"},
];

export function drawSetup(token) {
  const fields = [{name: "token", label: t("token"), required: true, value: token}, ...accountFields()];
  return narrow(heading(t("setup")), el("p", {}, t("setupSay")),
    form(fields, {submit: t("setupSend"), ...enterBy("/api/v1/setup")}));
}

// ---- registering

/* Where SMS is set up homeport asks for a phone number and its code; that it does, its first answer tells. */
export function drawRegister() {
  let asksPhone = false;
  const isAsked = () => asksPhone;
  const fields = [
    ...accountFields(),
    {name: "phone_number", label: t("phone"), type: "tel", required: true, hint: t("phoneHint"), complete: "tel", when: isAsked,
      action: {text: t("sendCode"), run: sendCode}},
    {name: "sms_code", label: t("smsCode"), required: true, complete: "one-time-code", inputmode: "numeric", when: isAsked},
  ];
  const isOfPhone = ({field}) => field === "phone_number" || field === "sms_code";
  const refused = (failure) => {
    if (asksPhone || !failure.fields.some(isOfPhone)) return failure;
    asksPhone = true;
    return {message: t("phoneNeeded"), fields: failure.fields.filter((one) => !isOfPhone(one)), focus: "phone_number"};
  };
  return narrow(heading(t("register")), form(fields, {submit: t("register"), refused, ...enterBy(`${AUTH}/register`)}),
    link(t("toSignIn"), drawSignIn));
}

async function sendCode(phone) {
  await callOpen("POST", `${AUTH}/sms/send`, {phone_number: phone, language: usedLanguage()});
  return t("codeSent", phone);
}

// ---- signing in

/* The second factor is asked for once homeport has taken account and password, and goes with these alone. */
export function drawSignIn(note = "") {
  let asked = null;
  const fields = [
    {name: "account", label: t("account"), required: true, complete: "username"},
    {name: "password", label: t("password"), type: "password", required: true, complete: "current-password"},
    {name: "totp", label: t("factorCode"), required: true, hint: t("factorCodeHint"), complete: "one-time-code",
      when: ({account, password}) => asked !== null && asked.account === account.trim() && asked.password === password},
  ];
  const send = (body) => callOpen("POST", `${AUTH}/login`, body).catch((failure) => {
    if (failure.code === refusals.MFA_NEEDED) asked = body;
    throw failure;
  });
  const refused = (failure) => {
    if (failure.code === refusals.MFA_NEEDED) return {message: "", focus: "totp"};
    if (failure.code !== refusals.MFA_WRONG) return failure;
    return {message: "", fields: [{field: "totp", reason: failure.message}]};
  };
  return narrow(heading(t("signIn")), note && el("p", {role: "status"}, note),
    form(fields, {submit: t("signIn"), ...enterBy(), send, refused}),
    el("div", {class: "links"}, link(t("forgot"), drawForgot), link(t("register"), drawRegister)));
}

// ---- a forgotten password

/* The answer is the same whether there is such an account or not, and so is what stands here. */
export function drawForgot() {
  const fields = [{name: "account", label: t("account"), required: true, complete: "username"}];
  const send = ({account}) => noteMail(callOpen("POST", `${AUTH}/password/forgot`, {account, language: usedLanguage()}));
  const refused = (failure) => (failure.code === refusals.MAIL_OFF
    ? {message: `${say(failure.message)} · ${t("forgotOtherwise")}`} : failure);
  return narrow(heading(t("forgotTitle")), el("p", {}, t("forgotSay")),
    form(fields, {submit: t("forgotSend"), send, refused, done: () => show(drawForgotSent)}),
    link(t("backToSignIn"), drawSignIn));
}

function drawForgotSent() {
  return narrow(heading(t("forgotTitle")), el("p", {}, t("forgotSent")), link(t("backToSignIn"), drawSignIn));
}

/** The link of that mail. onReset follows when there is a new password. */
export function drawReset(token, onReset) {
  const fields = [
    {name: "new_password", label: t("newPassword"), type: "password", required: true, hint: t("passwordHint"), complete: "new-password"},
    {name: "again", label: t("again"), type: "password", required: true, complete: "new-password"},
  ];
  const send = ({new_password, again}) => {
    if (new_password === again) return callOpen("POST", `${AUTH}/password/reset`, {token, new_password});
    throw new Failure(422, {message: t("someWrong"), data: {errors: [{field: "again", reason: t("notSame")}]}});
  };
  const refused = (failure) => (failure.fields.some(({field}) => field === "token") ? {message: t("linkBroken")} : failure);
  return narrow(heading(t("resetTitle")), el("p", {}, t("resetSay")), form(fields, {submit: t("resetSend"), send, refused, done: onReset}),
    link(t("anotherLink"), drawForgot));
}

// ---- a confirmed mail address

/** Where the link of that mail leads to. */
export function drawConfirmed(isConfirmed, onContinue) {
  return narrow(heading(t(isConfirmed ? "confirmed" : "notConfirmed")),
    el("p", {}, t(isConfirmed ? "confirmedSay" : "notConfirmedSay")), button(t("continue"), onContinue, {class: "main"}));
}
