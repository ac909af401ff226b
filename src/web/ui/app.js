// The page: who is there, and what is in sight. What a domain, source or record looks like stands in home.js.
import {begin, callOpen, end, renewUser, signOut, user, whenEnded, whenMustEnroll} from "/client.js";
import {drawConfirmed, drawReset, drawSetup, drawSignIn, whenEntered} from "/doors.js";
import {leaveFactor, showFactor, showFactorNeeded} from "/factor.js";
import {button, el, explain} from "/forms.js";
import {leaveHome, showHome} from "/home.js";
import {show, showAgain, tell, whenShown} from "/view.js";
import {switchLanguage, t} from "/words.js";

function drawFrame() {
  document.getElementById("nav").replaceChildren(...[
    el("a", {href: "/docs"}, "API"),
    button(t("switchLanguage"), () => {
      switchLanguage();
      showAgain();
    }),
    user() && el("span", {class: "who"}, user().username ?? user().nickname ?? t("device")),
    user() && button(t("factor"), showFactor),
    user() && button(t("signOut"), async () => {
      await signOut();
      leave();
    }),
  ].filter(Boolean));
}

// ---- coming and going

function enter(tokens) {
  if (tokens) begin(tokens);
  show(showHome);
}

function closeDialogs() {
  document.querySelectorAll("dialog").forEach((dialog) => dialog.close());
}

function leave({why = "", note = ""} = {}) {
  leaveHome();
  leaveFactor();
  closeDialogs();
  show(() => drawSignIn(note));
  tell("alert", why);
}

/* What stands behind # in a link: "token=..." of the start, "reset?token=..." and "confirmed" of mails. Nobody
 * shall find a token in the address bar or the history. */
function takeHash() {
  const [, place, query] = /^#([a-z-]*)(?:\?(.*))?$/.exec(location.hash) ?? ["", "", location.hash.slice(1)];
  if (location.hash) history.replaceState(null, "", location.pathname);
  return {place, token: new URLSearchParams(query).get("token") ?? ""};
}

async function goOn(token = "") {
  if (user()) {
    await renewUser().catch(() => {});
    return user() && enter();
  }
  try {
    await callOpen("GET", "/api/v1/setup");
    show(() => drawSetup(token));
  } catch (failure) {
    show(drawSignIn);
    if (failure.status !== 404) tell("alert", explain(failure));
  }
}

function open() {
  const {place, token} = takeHash();
  closeDialogs();
  if (place === "reset") {
    show(() => drawReset(token, () => {
      end(); // homeport has ended all sign-ins
      leave({note: t("resetDone")});
    }));
  } else if (place === "confirmed" || place === "confirm-failed") {
    show(() => drawConfirmed(place === "confirmed", () => goOn()));
  } else {
    goOn(token);
  }
}

whenShown(drawFrame);
whenEntered(enter);
whenEnded(() => leave({why: t("ended")}));
whenMustEnroll(() => {
  closeDialogs();
  showFactorNeeded();
});
addEventListener("hashchange", () => location.hash && open());
open();
