import { $, api, link, make, tell } from "./common.js";

const SVG = "http://www.w3.org/2000/svg";
let id, size = [1, 1], boxes = [], before = [], chosen = [], drag = null, mouse = [0, 0], saving = Promise.resolve();

const inside = (value, most) => Math.min(Math.max(Math.round(value), 0), most);
const area = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);

function place(event) {
  const shown = $("image").getBoundingClientRect();
  const [width, height] = size;
  return [inside((event.clientX - shown.left) / shown.width * width, width),
    inside((event.clientY - shown.top) / shown.height * height, height)];
}

function show() {
  const [width, height] = size;
  const drawing = $("drawing");
  drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  drawing.replaceChildren();
  boxes.forEach(([x1, y1, x2, y2], n) => {
    const add = (kind, values) => {
      const element = document.createElementNS(SVG, kind);
      for (const [name, value] of Object.entries(values)) element.setAttribute(name, value);
      drawing.append(element);
      return element;
    };
    add("rect", { x: x1, y: y1, width: x2 - x1, height: y2 - y1, class: chosen.includes(n) ? "chosen" : "" });
    const side = Math.min(width, height) / 25;
    add("text", { x: x1 + side / 4, y: y1 + side, "font-size": side }).textContent = n + 1;
  });
  $("merge").disabled = chosen.length !== 2;
  for (const name of ["split", "earlier", "later"]) $(name).disabled = chosen.length !== 1;
  $("delete").disabled = !chosen.length || chosen.length === boxes.length;
  $("undo").disabled = !before.length;
}

// What is written is what is shown; a failed save says so.
function save() {
  const message = { id, boxes };
  show();
  saving = saving.then(() => api("save", message)).then(({ saved }) => tell(`saved: ${saved} frames`))
    .catch((error) => tell(`NOT SAVED: ${error.message}`, true));
}

function change(next, nowChosen = []) {
  before.push(boxes);
  [boxes, chosen] = [next, nowChosen];
  save();
}

const actions = {
  delete: () => change(boxes.filter((_, n) => !chosen.includes(n))),
  merge: () => {
    const [one, other] = [...chosen].sort((a, b) => a - b);
    const [a, b] = [boxes[one], boxes[other]];
    const whole = [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])];
    change(boxes.map((box, n) => (n === one ? whole : box)).filter((_, n) => n !== other), [one]);
  },
  // Across the longer side, where the mouse was last if that is inside.
  split: () => {
    const [n] = chosen, [x1, y1, x2, y2] = boxes[n], [x, y] = mouse;
    const wide = x2 - x1 > y2 - y1;
    const middle = wide ? (x > x1 + 4 && x < x2 - 4 ? x : (x1 + x2) >> 1) : (y > y1 + 4 && y < y2 - 4 ? y : (y1 + y2) >> 1);
    const parts = wide ? [[x1, y1, middle, y2], [middle, y1, x2, y2]] : [[x1, y1, x2, middle], [x1, middle, x2, y2]];
    change(boxes.toSpliced(n, 1, ...parts), [n]);
  },
  earlier: () => swap(chosen[0] - 1),
  later: () => swap(chosen[0] + 1),
  undo: () => { [boxes, chosen] = [before.pop(), []]; save(); },
  previous: () => open($("pages").selectedIndex - 1),
  next: () => open($("pages").selectedIndex + 1),
};
const keys = { Delete: "delete", Backspace: "delete", s: "split", m: "merge", "-": "earlier", "+": "later", "=": "later",
  ArrowLeft: "previous", ArrowRight: "next" };

function swap(other) {
  const [n] = chosen;
  if (other < 0 || other >= boxes.length) return;
  const next = [...boxes];
  [next[n], next[other]] = [next[other], next[n]];
  change(next, [other]);
}

// The frame that is meant: of those under the mouse the smallest, as insets lie in others. `grip`
// has the corners' numbers (0 to 3: x1, y1, x2, y2) that are near the mouse.
function hit([x, y]) {
  const near = 8 * size[0] / $("image").getBoundingClientRect().width;
  const found = boxes.map((box, n) => ({ n, box })).filter(({ box: [x1, y1, x2, y2] }) =>
    x > x1 - near && x < x2 + near && y > y1 - near && y < y2 + near).sort((a, b) => area(a.box) - area(b.box));
  for (const one of found) one.grip = [0, 1, 2, 3].filter((k) => Math.abs(one.box[k] - [x, y][k % 2]) < near);
  return found.find(({ n, grip }) => chosen.includes(n) && grip.length) ?? found[0];
}

const drawing = $("drawing");
drawing.onpointerdown = (event) => {
  if (event.button) return;
  const start = place(event), found = event.ctrlKey ? null : hit(start);
  if (!found) drag = { n: boxes.length, start, grip: [2, 3], from: [...start, ...start] };
  else {
    if (event.shiftKey) chosen = [...chosen.filter((n) => n !== found.n).slice(-1), found.n];
    else chosen = [found.n];
    drag = { n: found.n, start, grip: found.grip, from: found.box };
  }
  drag.boxes = boxes;
  drawing.setPointerCapture(event.pointerId);
  show();
};
drawing.onpointermove = (event) => {
  mouse = place(event);
  drawing.style.cursor = hit(mouse) ? (hit(mouse).grip.length ? "move" : "pointer") : "crosshair";
  if (!drag || !drag.grip.length) return;
  const box = [...drag.from];
  for (const k of drag.grip) box[k] = inside(drag.from[k] + mouse[k % 2] - drag.start[k % 2], size[k % 2]);
  boxes = drag.boxes.toSpliced(drag.n, 1,
    [Math.min(box[0], box[2]), Math.min(box[1], box[3]), Math.max(box[0], box[2]), Math.max(box[1], box[3])]);
  show();
};
drawing.onpointerup = () => {
  if (!drag) return;
  const next = boxes, [x1, y1, x2, y2] = next[drag.n] ?? [0, 0, 0, 0];
  boxes = drag.boxes;
  const changed = String(next) !== String(boxes), n = drag.n;
  drag = null;
  if (changed && x2 - x1 > 4 && y2 - y1 > 4) change(next, [n]);
  else show();
};

async function open(n) {
  const pages = $("pages");
  if (n < 0 || n >= pages.length) return;
  await saving;
  try {
    pages.selectedIndex = n;
    const page = await api(link("page", pages.value));
    [id, size, boxes, before, chosen] = [pages.value, page.size, page.boxes, [], []];
    $("image").src = link("image", id);
    [$("previous").disabled, $("next").disabled] = [n === 0, n === pages.length - 1];
    show();
  } catch (error) { tell(error.message, true); }
}

for (const [name, action] of Object.entries(actions)) $(name).onclick = action;
document.onkeydown = (event) => {
  const name = event.ctrlKey && event.key === "z" ? "undo" : !event.ctrlKey && keys[event.key];
  if (!name || event.target.tagName === "SELECT" || $(name).disabled) return;
  event.preventDefault();
  actions[name]();
};
try {
  for (const name of (await api("state")).pages) make("option", "", name, $("pages"));
  $("pages").onchange = () => open($("pages").selectedIndex);
  await open(0);
} catch (error) { tell(error.message, true); }
