// The page of `leafid serve`. Everything that it shows comes from the records that the service sends.
import { byId, element, facts, say, texts } from "./common.js";
import * as questions from "./questions.js";
import { imagesInZip } from "./zip.js";

const { language, max_photos: maxPhotos } = facts;
let photos = [];       // files of the plant at hand
let question = 0;      // rises with each question, so that late answers to earlier ones are dropped
const earlier = [];    // photos and answers of this window, for going back; nothing of it is stored
let ends = [];         // clicks on the leaf: base, then apex, in pixels of the upright photo

// No probability is shown as 100 % or 0 % because of rounding.
function percent(probability) {
  if (probability > 0.9995) return "> 99.9 %";
  if (probability < 0.0005) return "< 0.1 %";
  return (100 * probability).toFixed(1) + " %";
}
async function post(path, files, fields = {}) {
  const form = new FormData();
  for (const file of files) form.append("images", file, file.name || "photo");
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  for (let attempt = 0; ; attempt++) {
    let response;
    try {
      response = await fetch(path, { method: "POST", body: form, headers: key() });
    } catch {
      throw new Error(say("offline"));
    }
    if (response.ok) return response.json();
    if (response.status === 429 && attempt < 10) {  // the service is busy and says when to come again
      await new Promise(done => setTimeout(done, 1000 * (Number(response.headers.get("Retry-After")) || 1)));
      continue;
    }
    const answer = await response.json().catch(() => ({ message: response.statusText }));
    if (response.status === 401 && askForKey()) continue;
    throw new Error(say("error", { message: answer.message }));
  }
}
function key() {
  const stored = sessionStorage.getItem("key");
  return stored ? { Authorization: "Bearer " + stored } : {};
}
function askForKey() {
  const given = prompt(say("key"));
  if (given) sessionStorage.setItem("key", given);
  return Boolean(given);
}

// ---- one plant

function add(files) {
  const images = [...files].filter(file => file.type.startsWith("image/") || file.type === "");
  if (!images.length) return;
  const room = maxPhotos - photos.length;
  photos.push(...images.slice(0, room));
  byId("state").textContent = images.length > room ? say("too_many", { count: maxPhotos }) : "";
  showPhotos();
  identify();
}
function showPhotos(records = []) {
  const list = byId("photos");
  for (const image of list.querySelectorAll("img")) URL.revokeObjectURL(image.src);
  list.replaceChildren(...photos.map((file, number) => {
    const item = element("li"), image = element("img");
    image.src = URL.createObjectURL(file);
    image.alt = file.name;
    item.append(image, element("span", file.name));
    const record = records[number];
    if (record && photos.length > 1) item.append(element("p", record.scientific_name ?? record.reason, "quiet"));
    return item;
  }));
  byId("clear").hidden = !photos.length;
}
async function identify() {
  const own = ++question;
  questions.hide();
  const count = photos.length === 1 ? say("photos_one") : say("photos_many", { count: photos.length });
  byId("state").textContent = say("working", { count });
  byId("answer").hidden = byId("leaf").hidden = true;
  try {
    const answer = await post("v1/identify?lang=" + encodeURIComponent(language), photos);
    if (own !== question) return;
    byId("state").textContent = "";
    earlier.push({ files: [...photos], answer });
    showHistory();
    showPhotos(answer.photos);
    showAnswer(answer);
    questions.begin(answer);
    measure(own);
  } catch (error) {
    if (own === question) byId("state").textContent = error.message;
  }
}
function showHistory() {
  byId("history").hidden = earlier.length < 2;
  byId("earlier").replaceChildren(...earlier.map(({ files, answer }) => {
    const item = element("li"), button = element("button", `${files.map(file => file.name).join(", ")}: ${answer.words.sentences[0]}`, "link");
    button.type = "button";
    button.addEventListener("click", () => {
      photos = [...files];
      const own = ++question;
      byId("state").textContent = "";
      showPhotos(answer.photos);
      showAnswer(answer);
      questions.begin(answer);
      measure(own);
    });
    item.append(button);
    return item;
  }));
}
function showAnswer({ plant, words, pictures }) {
  const section = byId("answer");
  section.className = plant.status;
  byId("sentences").replaceChildren(...words.sentences.map(sentence => element("p", sentence)));
  byId("advice").textContent = words.advice;
  byId("advice").hidden = !words.advice;
  byId("caution").textContent = plant.caution ? say("caution") + ": " + plant.caution : "";
  byId("caution").hidden = !plant.caution;
  byId("candidates-title").hidden = !plant.candidates.length;
  byId("candidates").replaceChildren(...plant.candidates.map(one => {
    const item = element("li"), meter = element("meter");
    meter.value = one.probability;
    meter.setAttribute("aria-label", one.scientific_name);
    item.append(element("span", one.scientific_name, "name"), element("span", percent(one.probability), "number"), meter);
    return item;
  }));
  byId("heat").replaceChildren();
  byId("heat-state").textContent = "";
  byId("show-heat").hidden = plant.candidates.length < 2;
  byId("show-heat").onclick = () => showHeat(plant.candidates.slice(0, 2).map(one => one.scientific_name));
  byId("specimens").replaceChildren(...specimens(plant.specimens, new Set(pictures)));
  section.hidden = false;
  section.focus({ preventScroll: true });
  section.scrollIntoView({ block: "nearest", behavior: "smooth" });
}
function specimens(cited, pictures) {
  if (!cited.length) return [];
  const row = element("div", null, "specimens");
  for (const one of cited) {
    const figure = element("figure"), caption = element("figcaption");
    if (pictures.has(one.image_id)) {  // others have a licence that does not allow a copy
      const image = element("img");
      image.alt = one.scientific_name;
      image.src = "v1/specimens/" + encodeURIComponent(one.image_id);
      figure.append(image);
    }
    const known = { name: one.scientific_name, institution: one.institution_code ?? "", number: one.catalog_number ?? "" };
    caption.append(element("span", say("specimen", known)));
    if (one.license) caption.append(element("br"), say("licence", { licence: one.license }));
    figure.append(caption);
    row.append(figure);
  }
  return [element("h3", say("similar")), row];
}

async function showHeat(names) {
  const own = question;
  byId("heat-state").textContent = say("heat_working");
  try {
    const query = names.map(name => "taxa=" + encodeURIComponent(name)).join("&");
    const { heat_maps: maps } = await post("v1/heat-maps?" + query, [photos[0]]);
    if (own !== question) return;
    byId("heat-state").textContent = say("heat_words");
    byId("heat").replaceChildren(...maps.map((one, number) => {
      const figure = element("figure"), image = element("img");
      const caption = say("heat_for", { name: one.scientific_name, other: names[1 - number] });
      image.src = "data:image/jpeg;base64," + one.picture;
      image.alt = caption;
      figure.append(image, element("figcaption", caption));
      return figure;
    }));
  } catch (error) {
    if (own === question) byId("heat-state").textContent = error.message;
  }
}

// ---- the leaf

async function measure(own, fields = {}) {
  const section = byId("leaf");
  section.hidden = false;
  byId("leaf-state").textContent = say("leaf_measuring");
  if (!Object.keys(fields).length) showClickable();
  try {
    const { leaves } = await post("v1/measure", [photos[0]], fields);
    if (own !== question) return;
    showLeaf(leaves[0]);
    questions.ask(leaves[0]?.shown ?? []);
  } catch (error) {
    if (own !== question) return;
    byId("leaf-state").textContent = error.message;
    questions.ask([]);
  }
}
function showClickable() {
  const image = element("img"), button = element("button");
  image.src = URL.createObjectURL(photos[0]);
  image.alt = photos[0].name;
  button.type = "button";
  button.setAttribute("aria-describedby", "leaf-hint");
  button.append(image);
  button.addEventListener("click", event => {
    if (!image.naturalWidth || event.detail === 0) return;  // the keyboard has no position
    const frame = image.getBoundingClientRect();
    if (ends.length === 2) ends = [];
    ends.push([(event.clientX - frame.left) / frame.width * image.naturalWidth,
               (event.clientY - frame.top) / frame.height * image.naturalHeight]);
    mark(image);
    if (ends.length === 1) { byId("leaf-state").textContent = say("leaf_base_set"); return; }
    const [base, apex] = ends;
    measure(question, { base_x: base[0], base_y: base[1], apex_x: apex[0], apex_y: apex[1] });
  });
  ends = [];
  byId("clickable").replaceChildren(button);
}
function mark(image) {
  for (const old of document.querySelectorAll(".mark")) old.remove();
  for (const [x, y] of ends) {
    const dot = element("span", null, "mark");
    dot.style.left = image.offsetLeft + x / image.naturalWidth * image.clientWidth + "px";
    dot.style.top = image.offsetTop + y / image.naturalHeight * image.clientHeight + "px";
    byId("clickable").append(dot);
  }
}
function showLeaf(leaf) {
  byId("drawing").replaceChildren();
  byId("characters").replaceChildren();
  byId("leaf-state").textContent = "";
  if (!leaf) { byId("leaf-state").textContent = say("leaf_none", { reason: say("reason_not_a_leaf") }); return; }
  const image = element("img");
  image.src = "data:image/jpeg;base64," + leaf.drawing;
  image.alt = say("leaf_alt");
  byId("drawing").append(image);
  if (leaf.not_measured) byId("leaf-state").textContent = leaf.not_measured + ".";
  const shown = Object.entries(leaf.characters).filter(([name]) => !name.endsWith("_px"));
  if (leaf.sentence) byId("characters").append(element("p", leaf.sentence));
  if (!shown.length) return;
  const table = element("table"), head = element("tr"), body = element("tbody"), top = element("thead");
  for (const key of ["character", "value"]) {
    const cell = element("th", say(key));
    cell.scope = "col";
    head.append(cell);
  }
  for (const [name, { value, uncertainty }] of shown) {
    const row = element("tr");
    const number = typeof value === "number" ? String(Math.round(value * 100) / 100) : value;
    row.append(element("td", characterName(name)), element("td", uncertainty ? `${number} ± ${uncertainty.toFixed(2)}` : number));
    body.append(row);
  }
  top.append(head);
  table.append(top, body);
  byId("characters").append(table);
}

function characterName(column) {
  const [, name, unit] = /^(.+?)(?:_(deg|cm|share))?$/.exec(column);
  const words = name.replace(/_/g, " ");
  return unit ? say("unit_" + unit, { name: words }) : words;
}

// ---- many photos

const COLUMNS = ["path", "scientific_name", "probability", "prediction_set", "reason"];
let rows = [];
async function identifyMany(files) {
  const waiting = [];
  for (const file of files) {
    try {
      if (/\.zip$/i.test(file.name)) waiting.push(...await imagesInZip(file));
      else if (file.type.startsWith("image/") || file.type === "") waiting.push(file);
    } catch {
      byId("batch-state").textContent = say("zip_damaged", { name: file.name });
      return;
    }
  }
  if (!waiting.length) {
    byId("batch-state").textContent = say("batch_empty");
    return;
  }
  rows = [];
  byId("batch-table").hidden = byId("batch-save").hidden = false;
  const count = waiting.length;
  let done = 0;
  const started = waiting.map((file, number) => ({ file, number }));
  async function next() {
    for (let one = started.shift(); one; one = started.shift()) {
      try {
        rows[one.number] = (await post("v1/identify?lang=" + encodeURIComponent(language), [one.file])).plant;
      } catch (error) {
        rows[one.number] = { path: one.file.name, status: "failed", scientific_name: null, probability: null,
                             prediction_set: [], candidates: [], reason: error.message };
      }
      byId("batch-state").textContent = say("batch_progress", { done: ++done, count });
      showRows();
    }
  }
  await Promise.all([next(), next(), next(), next()]);
}
function cellText(row, column) {
  if (column === "prediction_set") return row.prediction_set.map(one => one.scientific_name).join(", ");
  if (column === "probability") return row.probability === null ? "" : percent(row.probability);
  if (column === "reason") return texts["reason_" + row.reason] ?? row.reason ?? "";
  return row[column] ?? "";
}
function showRows() {
  const names = [...document.querySelectorAll("#batch-table th")].map(cell => cell.textContent);
  byId("batch-table").tBodies[0].replaceChildren(...rows.filter(Boolean).map(row => {
    const line = element("tr");
    COLUMNS.forEach((column, number) => {
      const cell = element("td", cellText(row, column));
      cell.dataset.name = names[number];
      line.append(cell);
    });
    return line;
  }));
}
function sortRows(key, button) {
  const head = button.parentElement, down = head.getAttribute("aria-sort") === "ascending";
  for (const other of document.querySelectorAll("#batch-table th")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  rows = rows.filter(Boolean).sort((one, other) => {
    const [a, b] = [one[key] ?? "", other[key] ?? ""];
    return (down ? -1 : 1) * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
  });
  showRows();
}
async function saveRows(format) {
  const records = rows.filter(row => row?.bundle);  // the others have no record of the service
  const response = await fetch("v1/export/" + format, {
    method: "POST", headers: { "Content-Type": "application/json", ...key() }, body: JSON.stringify({ records }) }).catch(() => null);
  if (!response?.ok) {
    const answer = await response?.json().catch(() => null);
    byId("batch-state").textContent = answer ? say("error", { message: answer.message }) : say("offline");
    return;
  }
  const link = element("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition"))[1];
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// ---- events

for (const id of ["choose", "take"]) byId(id).addEventListener("change", event => { add(event.target.files); event.target.value = ""; });
byId("clear").addEventListener("click", () => {
  photos = [];
  question++;
  questions.hide();
  byId("state").textContent = "";
  byId("answer").hidden = byId("leaf").hidden = true;
  showPhotos();
  byId("choose").focus();
});
const drop = byId("drop");
document.addEventListener("dragover", event => { event.preventDefault(); drop.classList.add("over"); });
document.addEventListener("dragleave", () => drop.classList.remove("over"));
document.addEventListener("drop", event => { event.preventDefault(); drop.classList.remove("over"); add(event.dataTransfer.files); });
document.addEventListener("paste", event => add(event.clipboardData.files));
for (const id of ["batch-choose", "batch-folder"]) {
  byId(id).addEventListener("change", async event => { await identifyMany([...event.target.files]); event.target.value = ""; });
}
for (const button of document.querySelectorAll("#batch-save button")) button.addEventListener("click", () => saveRows(button.dataset.format));
for (const button of document.querySelectorAll("#batch-table th button")) button.addEventListener("click", () => sortRows(button.dataset.key, button));
