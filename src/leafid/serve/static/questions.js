// What to look up on the plant. An observation is shown beside the answer and never changes its probabilities.
import { byId, element, say } from "./common.js";

let answer = null;        // of the service, for the plant at hand
let shown = [];           // measured characters that the photo shows clearly
const kept = new WeakMap();  // observations by answer, so that they are there when an earlier answer is shown again
let observations = [];    // { character, question, state, words, observer, observed_at }, in the order of recording
let judged = null;        // the service's last judgement of the observations
let asked = 0;            // rises with each request, so that late answers to earlier ones are dropped


// ---- called by the page

export function hide() {
  asked++;
  answer = judged = null;
  byId("questions").hidden = true;
}
export function begin(given) {
  hide();
  answer = given;
  observations = kept.get(given) ?? [];
  shown = [];
}
// The photo has been measured: `characters` are those that it shows clearly.
export async function ask(characters) {
  shown = characters;
  await judge();
}
// What was observed on the plant at hand, with what it leaves: for files that are saved.
export function observed() {
  return { observations, left: judged && observations.length ? judged.left : null };
}

// ---- the service

async function judge() {
  if (!answer || Object.keys(answer.open_taxa).length < 2) return;
  const own = ++asked;
  kept.set(answer, observations);
  try {
    const given = await post({
      taxa: answer.open_taxa, shown,
      observed: Object.fromEntries(observations.map(one => [one.character, one.state])),
    });
    if (own !== asked) return;
    judged = given;
    byId("questions-state").textContent = "";
    show();
  } catch (error) {
    if (own !== asked) return;
    byId("questions").hidden = false;
    byId("questions-state").textContent = error.message;
  }
}
async function post(body) {
  const key = sessionStorage.getItem("key");
  const headers = { "Content-Type": "application/json", ...(key ? { Authorization: "Bearer " + key } : {}) };
  const response = await fetch("v1/questions", { method: "POST", headers, body: JSON.stringify(body) })
    .catch(() => { throw new Error(say("offline")); });
  const given = await response.json().catch(() => ({ message: response.statusText }));
  if (!response.ok) throw new Error(say("error", { message: given.message }));
  return given;
}

// ---- the section

function show() {
  byId("questions").hidden = !judged.questions.length && !observations.length;
  byId("observer-label").hidden = !judged.questions.length;
  byId("question-list").replaceChildren(...judged.questions.map(form));
  byId("observations").replaceChildren(...judged.observations.map(observation), ...together());
  byId("save-answer").hidden = !observations.length;
}
function form(question) {
  const made = element("form", null, "question"), set = element("fieldset"), states = element("div", null, "states");
  const where = element("p", question.where, "quiet"), message = element("p", null, "alarm");
  where.id = "where-" + question.character;
  set.setAttribute("aria-describedby", where.id);
  message.setAttribute("role", "alert");
  states.append(...question.states.map(state => choice(question, state)), choice(question, null));
  set.append(element("legend", question.question), where, states);
  const button = element("button", say("observe"), "second");
  made.append(set, button, message);
  made.addEventListener("submit", event => {
    event.preventDefault();
    const chosen = made.querySelector("input:checked"), observer = byId("observer").value.trim();
    message.textContent = !chosen ? say("state_missing") : !observer ? say("observer_missing") : "";
    if (message.textContent) {
      (chosen ? byId("observer") : made.querySelector("input")).focus();
      return;
    }
    const state = question.states.find(one => one.state === chosen.value);
    observations.push({ character: question.character, question: question.question, state: state?.state ?? null,
                        words: state?.words ?? say("not_visible"), observer, observed_at: new Date().toISOString() });
    judge().then(() => byId("observations").focus({ preventScroll: true }));
  });
  return made;
}
function choice(question, state) {
  const label = element("label", null, "state"), radio = element("input");
  radio.type = "radio";
  radio.name = question.character;
  radio.value = state?.state ?? "";
  label.append(radio);
  if (state) label.append(drawing(state));
  label.append(element("span", state?.words ?? say("not_visible")));
  return label;
}
function drawing(state) {
  const image = element("img");
  image.src = state.drawing;
  image.alt = state.drawing_shows;
  return image;
}
function observation({ character, question, seen }) {
  const mine = observations.find(one => one.character === character);
  const made = element("article", null, "observation"), words = element("div");
  words.append(element("h3", say("observed", { question, state: mine.words })));
  const time = new Date(mine.observed_at).toLocaleString(document.documentElement.lang);
  words.append(element("p", say("observed_by", { observer: mine.observer, time }), "quiet"));
  if (seen) words.append(...judgement(seen));
  else words.append(element("p", say("observation_not_visible")));
  const remove = element("button", say("remove_observation"), "second");
  remove.type = "button";
  remove.setAttribute("aria-label", say("remove_observation") + ": " + question);
  remove.addEventListener("click", () => {
    observations = observations.filter(one => one !== mine);
    judge().then(() => byId("questions-title").focus());
  });
  words.append(remove);
  if (seen) made.append(drawing(seen));
  made.append(words);
  return made;
}
function judgement(seen) {
  const made = [];
  if (seen.left.length) made.push(named("observation_leaves", seen.left));
  else made.push(element("p", say("observation_leaves_none"), "alarm"));
  if (seen.undescribed.length) made.push(element("p", say("observation_open", { names: seen.undescribed.join(", ") }), "quiet"));
  if (seen.against.length) {
    const list = element("ul");
    list.append(...seen.against.map(one => {
      const item = element("li");
      item.append(element("i", one.taxon), ": " + say("flora_says", one));
      return item;
    }));
    made.push(element("p", say("observation_against")), list);
  }
  return made;
}
function together() {
  if (judged.observations.filter(one => one.seen).length < 2) return [];
  if (!judged.left.length) return [element("p", say("observations_together_none"), "alarm")];
  return [named("observations_together", judged.left, "together")];
}
function named(key, names, kind) {
  const made = element("p", say(key) + " ", kind);
  names.forEach((name, number) => made.append(number ? ", " : "", element("i", name)));
  return made;
}

byId("save-answer").addEventListener("click", () => {
  const link = element("a");
  const content = JSON.stringify({ ...answer, ...observed() }, null, 2);
  link.href = URL.createObjectURL(new Blob([content], { type: "application/json" }));
  link.download = "leafid-answer.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
});
