// What is in sight: one view at a time, under the frame.
import {el} from "/forms.js";

let view = null; // the function that draws what is in sight, again in another language
let onShown = () => {};

export const whenShown = (then) => { onShown = then; };

export const heading = (text) => el("h1", {tabindex: -1}, text);
export const narrow = (...nodes) => [el("section", {class: "card narrow"}, ...nodes)];

export function tell(where, text) {
  document.getElementById(where).textContent = text;
}

/** Draws a view; the focus moves to its heading. */
export function show(draw) {
  view = draw;
  ["live", "alert", "status"].forEach((where) => tell(where, ""));
  const nodes = draw();
  const main = document.getElementById("main");
  main.replaceChildren(...nodes);
  const title = main.querySelector("h1");
  document.title = `${title.textContent} · homeport`;
  onShown();
  title.focus();
}

export const showAgain = () => show(view);
