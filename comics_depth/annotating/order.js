import { $, api, link, make, tell } from "./common.js";

const canvas = $("stage"), pen = canvas.getContext("2d"), frames = [], states = new Map();
let at = -1, frame = null, view = null, saving = Promise.resolve(), held = false, press = null;

// A frame's state: points, the levels before each of them (so that undo restores them exactly), the current levels
// [object, intra] or null before the first point, and what is known to be on disk.
const levelsFor = { left: ([o, i]) => [o, i + 1], middle: ([o]) => [o + 1, 1], right: ([o, i]) => [o, i] };
const nextLevels = (button) => (frame.current ? levelsFor[button](frame.current) : [1, 1]);
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const colour = (object) => `hsl(${(212 + (object - 1) * 137.5) % 360} 85% 38%)`;

// How long a person takes for a frame, without pauses of more than two minutes.
let active = Date.now();
function countTime() {
  const pause = (Date.now() - active) / 1000;
  if (frames[at] && pause <= 120) frames[at].seconds = (frames[at].seconds ?? 0) + pause;
  active = Date.now();
}
for (const kind of ["pointerdown", "keydown", "wheel"]) addEventListener(kind, countTime, { capture: true, passive: true });

// The median over the frames that were ordered since the page was opened, without the one at hand.
function pace() {
  const times = frames.filter((one, index) => one.placed && one.points && index !== at).map((one) => one.seconds).sort((a, b) => a - b);
  const middle = (times.at((times.length - 1) >> 1) + times.at(times.length >> 1)) / 2;
  return times.length ? `median ${Math.round(middle)} s a frame (${times.length} ordered)` : "";
}

const unsaved = () => [...states.values()].filter((one) => one.failed);

async function open(index) {
  if (index < 0 || index >= frames.length) return;
  const entry = frames[(at = index)], image = new Image();
  frame = null;
  history.replaceState(null, "", "#" + encodeURIComponent(entry.id));
  show();
  $("frames").scrollTop = entry.button.offsetTop - $("frames").clientHeight / 2; // scrollIntoView would move the page too
  canvas.focus(); // a button that kept the focus would take the space bar
  await saving;
  try {
    const data = await api(link("frame", entry.id));
    image.src = link("image", entry.id);
    await image.decode().catch(() => { throw Error(`the image of ${entry.id} cannot be shown`); });
    if (at !== index) return;
    const kept = states.get(entry.id);
    const before = data.points.map((_, k) => (k ? data.points[k - 1].slice(0, 2) : null));
    const fresh = { points: data.points, before, saved: data.points, current: data.points.at(-1)?.slice(0, 2) ?? null };
    frame = Object.assign(kept && same(kept.saved, data.points) ? kept : fresh, { entry, data, image });
    states.set(entry.id, frame);
    tell(data.error || unsaved()[0]?.failed || pace(), data.error || unsaved().length);
    showPage(data.page, entry.id);
    fit();
  } catch (error) { if (at === index) tell(error.message, true); }
  show();
}

function showPage(page, id) {
  $("beside").hidden = !page;
  if (!page) return;
  const [x1, y1, x2, y2] = page.box, [width, height] = page.size, percent = (part, whole) => `${(100 * part) / whole}%`;
  $("page").src = link("page", id);
  Object.assign($("box").style, { left: percent(x1, width), top: percent(y1, height),
    width: percent(x2 - x1, width), height: percent(y2 - y1, height) });
}

// Saves wait for each other and each writes the newest points; `before` lets the server notice other writers.
function save(target) {
  tell("saving …");
  saving = saving.then(async () => {
    const points = target.points.slice();
    try {
      if (!same(points, target.saved)) await api("save", { id: target.entry.id, points, before: target.saved });
      target.saved = points;
      delete target.failed;
      target.entry.points = points.length;
    } catch (error) { target.failed = `NOT SAVED, ${target.entry.id}: ${error.message}`; }
    tell(unsaved()[0]?.failed || ["saved", pace()].filter(Boolean).join(" · "), unsaved().length);
    show();
  });
}

function place(button, x, y) {
  if (!frame || frame.data.error || x < 0 || y < 0 || x >= frame.data.width || y >= frame.data.height) return;
  if (frame.points.some((point) => point[2] === x && point[3] === y)) return tell("There is a point on this pixel already.");
  frame.before.push(frame.current);
  frame.current = nextLevels(button);
  frame.points = [...frame.points, [...frame.current, x, y]];
  frame.entry.placed = true;
  save(frame);
  show();
}

function undo() {
  if (!frame?.points.length || frame.data.error) return;
  frame.points = frame.points.slice(0, -1);
  frame.current = frame.before.pop();
  save(frame);
  show();
}

function change(object, intra) {
  if (!frame?.current) return;
  frame.current = [Math.max(1, frame.current[0] + object), Math.max(1, frame.current[1] + intra)];
  show();
}

function show() {
  const entry = frames[at], done = frames.filter((one) => one.points).length;
  $("name").textContent = entry.id;
  $("count").textContent = `${done} of ${frames.length} frames done`;
  $("previous").disabled = at === 0;
  $("following").disabled = at === frames.length - 1;
  $("undo").disabled = !frame?.points.length || !!frame.data.error;
  $("untouched").disabled = done === frames.length;
  $("retry").hidden = !unsaved().length;
  $("reload").hidden = !frame?.failed && !frame?.data.error;
  canvas.className = frame && !frame.data.error ? "" : "locked";
  for (const button of ["left", "middle", "right"]) {
    const [object, intra] = frame ? nextLevels(button) : ["–", "–"];
    $(button).textContent = `object ${object}, intra ${intra}`;
    $(button).style.color = frame ? colour(object) : "";
  }
  frames.forEach((one, index) => {
    one.button.className = index === at ? "here" : "";
    one.mark.textContent = one.error ? "!" : one.points ? "✓" : "·";
    one.mark.className = one.error ? "bad" : "";
    one.note.textContent = one.error ? "unreadable" : one.points ? `${one.points} points` : "untouched";
  });
  draw();
}

function draw() {
  const ratio = devicePixelRatio, { width, height } = canvas.getBoundingClientRect();
  Object.assign(canvas, { width: width * ratio, height: height * ratio });
  if (!frame || !view) return;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.imageSmoothingEnabled = view.scale < 3;
  pen.drawImage(frame.image, view.x, view.y, frame.data.width * view.scale, frame.data.height * view.scale);
  pen.font = "600 13px system-ui, sans-serif";
  frame.points.forEach(([object, intra, px, py], k) => {
    const x = view.x + (px + 0.5) * view.scale, y = view.y + (py + 0.5) * view.scale, label = `${object}.${intra}`;
    const wide = pen.measureText(label).width + 10, last = k === frame.points.length - 1;
    pen.beginPath();
    pen.arc(x, y, last ? 6 : 4, 0, 7);
    pen.roundRect(x + 8, y - 22, wide, 18, 5);
    Object.assign(pen, { fillStyle: colour(object), strokeStyle: "#fff", lineWidth: 2 });
    pen.stroke();
    pen.fill();
    pen.fillStyle = "#fff";
    pen.fillText(label, x + 13, y - 8.5);
  });
}

function fit() {
  const { width, height } = canvas.getBoundingClientRect(), { width: w, height: h } = frame.data;
  const scale = Math.min((width - 24) / w, (height - 24) / h, 8);
  view = { scale, x: (width - w * scale) / 2, y: (height - h * scale) / 2 };
  draw();
}

function zoom(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
  if (!frame) return;
  const scale = Math.min(40, Math.max(0.05, view.scale * factor)), grow = scale / view.scale;
  view = { scale, x: x - (x - view.x) * grow, y: y - (y - view.y) * grow };
  draw();
}

function nextUntouched() {
  const order = frames.map((_, k) => (at + 1 + k) % frames.length);
  open(order.find((k) => !frames[k].points && !frames[k].error) ?? -1);
}

// A click is decided on release: a pointer that moved more than a few pixels has moved the picture instead.
canvas.onpointerdown = (event) => {
  if (!frame || press) return;
  canvas.setPointerCapture(event.pointerId);
  press = { button: event.button, shift: event.shiftKey, ctrl: event.ctrlKey, x: event.offsetX, y: event.offsetY, view, pan: held };
};
canvas.onpointermove = (event) => {
  if (!press) return;
  const dx = event.offsetX - press.x, dy = event.offsetY - press.y;
  press.pan ||= Math.hypot(dx, dy) > 6;
  if (press.pan) view = { ...press.view, x: press.view.x + dx, y: press.view.y + dy };
  if (press.pan) draw();
};
canvas.onpointerup = () => {
  const { button, shift, ctrl, x, y, pan } = press ?? { pan: true };
  press = null;
  if (pan || button > 2) return;
  const kind = button === 2 || ctrl ? "right" : button === 1 || shift ? "middle" : "left"; // Ctrl+click is a Mac's right
  place(kind, Math.floor((x - view.x) / view.scale), Math.floor((y - view.y) / view.scale));
};
canvas.onpointercancel = () => { press = null; };
for (const name of ["mousedown", "auxclick", "contextmenu"]) {
  canvas.addEventListener(name, (event) => { event.preventDefault(); canvas.focus({ preventScroll: true }); }); // no autoscroll, paste or menu
}
canvas.onwheel = (event) => {
  event.preventDefault();
  if (!frame) return;
  if (!event.shiftKey && !event.deltaX) return zoom(2 ** (-event.deltaY / 300), event.offsetX, event.offsetY);
  view = { ...view, x: view.x - (event.deltaX || event.deltaY), y: view.y - (event.deltaX ? event.deltaY : 0) };
  draw();
};

const keys = {
  n: () => open(at + 1), pagedown: () => open(at + 1), p: () => open(at - 1), pageup: () => open(at - 1), u: nextUntouched,
  arrowup: () => change(1, 0), arrowdown: () => change(-1, 0), arrowright: () => change(0, 1), arrowleft: () => change(0, -1),
  backspace: undo, "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), "0": () => frame && fit(),
  "?": () => $("help").showModal(),
};
onkeydown = (event) => {
  const key = event.key.toLowerCase(), command = event.ctrlKey || event.metaKey;
  const action = command ? { z: undo }[key] : keys[key];
  if ($("help").open || (key === " " && event.target.matches("button"))) return;
  if (key === " ") { held = true; canvas.classList.add("pan"); }
  if (action || key === " ") event.preventDefault();
  action?.();
};
onkeyup = onblur = (event) => { if (event.key === " " || event.type === "blur") { held = false; canvas.classList.remove("pan"); } };
new ResizeObserver(draw).observe(canvas);
onbeforeunload = (event) => { if ([...states.values()].some((one) => one.points !== one.saved)) event.preventDefault(); };

const clicks = { previous: keys.p, following: keys.n, undo, in: keys["+"], out: keys["-"], fit: keys["0"], ask: keys["?"],
  untouched: nextUntouched, retry: () => unsaved().forEach(save), reload: () => { states.delete(frame.entry.id); open(at); } };
for (const [id, action] of Object.entries(clicks)) $(id).onclick = () => { action(); canvas.focus({ preventScroll: true }); };

try {
  frames.push(...(await api("state")).frames);
  frames.forEach((one, index) => {
    one.button = make("button", "", "", $("frames"));
    one.mark = make("i", "", "", one.button);
    make("span", "", one.id, one.button);
    one.note = make("small", "", "", one.button);
    one.button.onclick = () => open(index);
  });
  const asked = frames.findIndex((one) => "#" + encodeURIComponent(one.id) === location.hash);
  const untouched = frames.findIndex((one) => !one.points && !one.error);
  open(Math.max(asked >= 0 ? asked : untouched, 0));
} catch (error) { tell(error.message, true); }
