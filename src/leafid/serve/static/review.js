// The page of `leafid review`: one record at a time, decided by a click or a name.
import { byId, element, facts, say, texts } from "./common.js";

const { records: total, step } = facts;
const entries = [];    // number, record and decision, as the service sends them
let shown = [];        // those that the filter leaves
let place = 0;

async function send(path, content) {
  const response = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(content) })
    .catch(() => { throw new Error(say("offline")); });
  const answer = await response.json();
  if (!response.ok) throw new Error(say("not_saved", { message: answer.message }));
  return answer;
}
async function load() {
  for (let start = 0; start < total; start += step) {
    const response = await fetch(`v1/review/records?start=${start}&count=${step}`);
    entries.push(...await response.json());
    if (start === 0) filter();
  }
  filter();
}
function filter() {
  const wanted = byId("filter").value, current = shown[place];
  shown = entries.filter(({ record, decision }) =>
    wanted === "all" || (wanted === "open" && !decision) || (wanted === "undetermined" && record.status === "undetermined"));
  place = Math.max(0, shown.indexOf(current));
  show();
}
function subjectOf(record) {
  return record.plant ?? record.path;
}
function show() {
  const done = entries.filter(entry => entry.decision).length;
  byId("progress").textContent = say("reviewed", { done, count: total });
  const entry = shown[place];
  byId("record").hidden = !entry;
  if (!entry) return;
  const { number, record, decision } = entry;
  byId("subject").textContent = `${place + 1} / ${shown.length}: ${subjectOf(record)}`;
  const photos = record.photos.length ? record.photos.map(one => one.path) : [record.path];
  byId("pictures").replaceChildren(...photos.map((path, at) => {
    const image = element("img");
    image.alt = path;
    image.src = `v1/review/records/${number}/photos/${at}`;
    image.addEventListener("error", () => image.replaceWith(element("p", say("no_picture", { path }), "quiet")));
    return image;
  }));
  const answer = record.scientific_name ? say("probably", { name: record.scientific_name, probability: record.probability.toFixed(2) })
    : `${say("undetermined")} ${texts["reason_" + record.reason] ?? record.reason}`;
  byId("prediction").textContent = answer;
  byId("caution").textContent = record.caution ?? "";
  byId("caution").hidden = !record.caution;
  byId("decided").textContent = decision
    ? say("decided", { name: decision.scientificName || say("undetermined"), reviewer: decision.identifiedBy, date: decision.dateIdentified }) : "";
  byId("candidates-buttons").replaceChildren(...record.candidates.map(one => {
    const button = element("button", `${one.scientific_name} ${one.probability.toFixed(2)}`, one.scientific_name === record.scientific_name ? "" : "second");
    button.type = "button";
    button.addEventListener("click", () => decide(one.scientific_name));
    return button;
  }));
  byId("name").value = byId("remarks").value = "";
  byId("previous").disabled = place === 0;
  byId("next").disabled = place >= shown.length - 1;
}
async function decide(name) {
  const reviewer = byId("reviewer").value.trim();
  if (!reviewer) {
    byId("state").textContent = say("reviewer_missing");
    byId("reviewer").focus();
    return;
  }
  localStorage.setItem("reviewer", reviewer);
  const entry = shown[place];
  try {
    entry.decision = await send(`v1/review/records/${entry.number}`, { scientific_name: name, reviewer, remarks: byId("remarks").value });
    byId("state").textContent = say("saved", { name: entry.decision.scientificName || say("undetermined"), subject: subjectOf(entry.record) });
    if (place < shown.length - 1) place++;
    show();
    byId("record").focus({ preventScroll: true });
  } catch (error) {
    byId("state").textContent = error.message;
  }
}
byId("reviewer").value = localStorage.getItem("reviewer") ?? "";
byId("filter").addEventListener("change", filter);
byId("previous").addEventListener("click", () => { place = Math.max(0, place - 1); show(); });
byId("next").addEventListener("click", () => { place = Math.min(shown.length - 1, place + 1); show(); });
byId("other").addEventListener("submit", event => {
  event.preventDefault();
  const name = byId("name").value.trim();
  if (name) decide(name); else byId("name").focus();
});
byId("cannot-tell").addEventListener("click", () => decide(null));
byId("files").addEventListener("click", async () => {
  try {
    const written = await send("v1/review/files", {});
    byId("files-state").textContent = Object.entries(written).map(([name, rows]) => say("rows", { name, rows })).join(", ");
  } catch (error) {
    byId("files-state").textContent = error.message;
  }
});
load();
