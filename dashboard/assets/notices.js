// Notices of the browser about alerts, while a page of the dashboard is open.

import { now } from "./clock.js";
import { storage } from "./storage.js";

const WANTED = "notices";
const SHOWN = "notices-shown";
const MOST_SHOWN = 200;
const kept = storage("localStorage");

const opened = Date.now();

/** When this page was opened, by the server's clock. */
const openedMs = () => opened + now() - Date.now();

/** Shows the alerts that were recorded after this page was opened and that no page of this browser has shown. */
export function receive({ news }) {
  if (!isWanted()) return;
  const shown = JSON.parse(kept.getItem(SHOWN) ?? "[]");
  const fresh = news.filter(({ key, at }) => at >= openedMs() && !shown.includes(key));
  if (!fresh.length) return;
  kept.setItem(SHOWN, JSON.stringify([...shown, ...fresh.map(({ key }) => key)].slice(-MOST_SHOWN)));
  for (const { key, title, text } of fresh.reverse()) {
    const notice = new Notification(title, { body: text, tag: key });
    notice.onclick = () => window.focus();
  }
}

/** Draws the button that asks for the permission, and switches notices off and on. */
export function drawSwitch(parent, words) {
  let button = parent.querySelector("button");
  if (!button) {
    button = Object.assign(document.createElement("button"), { type: "button", className: "notice-switch" });
    parent.append(button);
  }
  const name = () => {
    const state = !("Notification" in window) || !window.isSecureContext ? "impossible" : Notification.permission === "denied" ? "denied" : isWanted() ? "on" : "off";
    button.textContent = words[state];
    button.disabled = state === "impossible" || state === "denied";
    button.setAttribute("aria-pressed", String(state === "on"));
  };
  button.onclick = async () => {
    const turnOn = !isWanted();
    const allowed = !turnOn || (await Notification.requestPermission()) === "granted";
    kept.setItem(WANTED, turnOn && allowed ? "yes" : "no");
    name();
  };
  name();
}

function isWanted() {
  return "Notification" in window && Notification.permission === "granted" && kept.getItem(WANTED) === "yes";
}
