// The line that asks the signed-in user to confirm the mail address. Whether homeport can send mail at all is only
// known once it was asked to: an answer that it cannot hides the line for a day.
import {call, refusals, user} from "/client.js";
import {button, el, explain} from "/forms.js";
import {tell} from "/view.js";
import {say, t, usedLanguage} from "/words.js";

const KEEP = "homeport.mailOff";
const HIDDEN_MS = 24 * 3600 * 1000;

const isOff = () => Date.now() - Number(localStorage.getItem(KEEP)) < HIDDEN_MS;

/** Goes on as the call for a mail does, and remembers whether mail is set up. */
export async function noteMail(answer) {
  try {
    const data = await answer;
    localStorage.removeItem(KEEP);
    return data;
  } catch (failure) {
    if (failure.code === refusals.MAIL_OFF) localStorage.setItem(KEEP, String(Date.now()));
    throw failure;
  }
}

export function fillMailLine(place) {
  const {email, email_verified: isConfirmed} = user() ?? {};
  if (!email || isConfirmed || isOff()) return place.replaceChildren();
  const said = el("p", {role: "status"});
  const send = button(t("confirmMail"), async () => {
    send.disabled = true;
    said.textContent = t("busy");
    try {
      await noteMail(call("POST", "/api/v1/auth/email/send", {language: usedLanguage()}));
      said.textContent = t("confirmSent", email);
    } catch (failure) {
      said.textContent = user() ? explain(failure) : "";
      if (failure.code === refusals.MAIL_OFF) hide(place, failure);
    } finally {
      send.disabled = false;
    }
  });
  place.replaceChildren(el("div", {class: "card bar"}, el("div", {}, el("p", {}, t("unconfirmed", email)), said), send));
}

function hide(place, failure) {
  place.replaceChildren();
  tell("status", say(failure.message));
  document.querySelector("main h1").focus();
}
