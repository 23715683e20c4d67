// What the scripts of all pages share: the facts that the service put into the page, its texts, and elements.
export const facts = JSON.parse(document.getElementById("facts").textContent);
export const { texts } = facts;
export const byId = id => document.getElementById(id);

export function say(key, values = {}) {
  return texts[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}
export function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}
