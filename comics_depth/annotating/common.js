export const $ = (id) => document.getElementById(id);

export const link = (route, id) => `${route}?id=${encodeURIComponent(id)}`;

// The JSON answer of a route; throws an Error that a person can read.
export async function api(route, body) {
  const options = body && { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  const reply = await fetch(route, options).catch(() => null);
  if (!reply) throw Error("The server does not answer. Was the command ended?");
  const value = await reply.json().catch(() => ({ error: `unexpected answer ${reply.status}` }));
  if (!reply.ok) throw Error(value.error);
  return value;
}

export function tell(message, bad = false) {
  $("status").textContent = message;
  $("status").className = bad ? "bad" : "good";
}

// Makes an element; text is never parsed as HTML, so names may hold anything.
export function make(tag, className, text = "", parent = null) {
  const element = Object.assign(document.createElement(tag), { className, textContent: text });
  parent?.append(element);
  return element;
}
