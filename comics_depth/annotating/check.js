import { $, api, link, make, tell } from "./common.js";

let removed = new Set(), saving = Promise.resolve();
const buttons = new Map();

function show() {
  $("count").textContent = `${buttons.size - removed.size} kept, ${removed.size} removed`;
  $("finish").disabled = removed.size === buttons.size;
  for (const [id, button] of buttons) button.setAttribute("aria-pressed", removed.has(id));
}

// What is shown is what is on disk: a failed save changes nothing on the page.
const run = (action) => (saving = saving.then(action).catch((error) => tell(`NOT SAVED: ${error.message}`, true)).then(show));

const toggle = (id) => run(async () => {
  removed = new Set((await api("mark", { id, removed: !removed.has(id) })).removed);
  tell("saved");
});

try {
  const state = await api("state");
  removed = new Set(state.removed);
  for (const id of state.crops) {
    const button = make("button", "", "", $("crops"));
    Object.assign(make("img", "", "", button), { loading: "lazy", alt: "", src: link("image", id) });
    make("b", "", "removed", button);
    make("span", "", id, button);
    button.onclick = () => toggle(id);
    buttons.set(id, button);
  }
  $("finish").onclick = () => run(async () => {
    const { kept, removed: gone } = await api("finish", {});
    tell(`Written: ${kept} crops kept, ${gone} removed, in ${state.folder}. You may go on and finish again, or close this page.`);
  });
  $("size").oninput = () => $("crops").style.setProperty("--size", `${$("size").value}px`);
  show();
} catch (error) { tell(error.message, true); }
