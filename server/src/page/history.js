/** The plots over time, drawn from /history each second. */
const PLOTS = [
  { id: "rate", title: "Requests a second", format: count => count.toLocaleString("en"),
    series: [{ key: "requests", name: "requests", look: "mapped", area: true }] },
  { id: "times", title: "Time to answer", format: microseconds,
    series: [{ key: "p99", name: "99 of 100 within", look: "readby" },
             { key: "p50", name: "half within", look: "mapped" }] },
  { id: "trouble", title: "Lost pages and errors a second", format: count => count.toLocaleString("en"),
    series: [{ key: "errors", name: "answered 5xx", look: "wrong", area: true },
             { key: "faults", name: "faults recovered", look: "readby" }] },
];
const NAMESPACE = "http://www.w3.org/2000/svg";
const SPAN = 300, HEIGHT = 84, LEFT = 56, TOP = 6, BOTTOM = 18;

/** The smallest of 1, 2 or 5 times a power of ten that is no less. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 5, 10].find(step => step * power >= value * 0.999);
}

function element(name, attributes, text) {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function draw({ id, title, format, series }, samples, pointed) {
  const end = samples.at(-1).at, width = $(id).clientWidth;
  const x = at => LEFT + (width - LEFT) * (1 - (end - at) / SPAN);
  const values = samples.flatMap(sample => series.map(({ key }) => sample[key] ?? 0));
  const most = roundUp(Math.max(...values, 1));
  const y = value => TOP + (HEIGHT - TOP) * (1 - value / most);
  const svg = element("svg", { viewBox: `0 0 ${width} ${HEIGHT + BOTTOM}`, role: "img", "aria-label": title });
  for (const part of [0, 0.5, 1]) {
    svg.append(element("line", { class: "grid", x1: LEFT, x2: width, y1: y(most * part), y2: y(most * part) }));
    if (part !== 0.5)
      svg.append(element("text", { x: LEFT - 8, y: y(most * part) + 4, "text-anchor": "end" }, part ? format(most) : "0"));
  }
  for (let minutes = SPAN / 60; minutes >= 0; minutes--)
    svg.append(element("text", {
      x: x(end - minutes * 60), y: HEIGHT + 14,
      "text-anchor": minutes === 0 ? "end" : minutes === SPAN / 60 ? "start" : "middle",
    }, minutes === 0 ? "now" : `−${minutes} min`));
  for (const { key, look, area } of series) {
    // Seconds without a value, and those in which the server did not run, are gaps.
    let run = [];
    const finish = () => {
      const points = run.map(({ at, [key]: value }) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`);
      if (run.length === 1)
        svg.append(element("circle", { class: "dot " + look, cx: x(run[0].at), cy: y(run[0][key]), r: 1.75 }));
      if (run.length > 1) {
        if (area)
          svg.append(element("path", { class: "area " + look,
            d: `M${x(run[0].at)},${y(0)}L${points.join("L")}L${x(run.at(-1).at)},${y(0)}Z` }));
        svg.append(element("path", { class: "line " + look, d: "M" + points.join("L") }));
      }
      run = [];
    };
    for (const sample of samples) {
      if (sample[key] === null || (run.length && sample.at - run.at(-1).at > 2)) finish();
      if (sample[key] !== null) run.push(sample);
    }
    finish();
  }
  const shown = pointed ?? samples.at(-1);
  if (pointed)
    svg.append(element("line", { class: "cursor", x1: x(pointed.at), x2: x(pointed.at), y1: TOP, y2: HEIGHT }));
  const caption = document.createElement("figcaption");
  caption.append(Object.assign(document.createElement("strong"), { textContent: title }));
  for (const { key, name, look } of series)
    caption.append(Object.assign(document.createElement("span"), {
      className: look, textContent: `${name} ${shown[key] === null ? "–" : format(shown[key])}`,
    }));
  $(id).replaceChildren(caption, svg);
}

let samples = [], pointed;

function drawAll() {
  if (samples.length === 0) return;
  const { at } = pointed ?? samples.at(-1);
  $("moment").textContent = (pointed ? "at " : "now, ") + new Date(at * 1000).toLocaleTimeString("en-GB");
  for (const plot of PLOTS) draw(plot, samples, pointed);
}

async function follow() {
  try {
    const all = (await (await fetch("/history")).json()).samples;
    const end = all.at(-1)?.at;
    samples = all.filter(sample => sample.at > end - SPAN);
    drawAll();
  } catch {
    $("moment").textContent = "the server cannot be reached";
  }
  setTimeout(follow, 1000);
}

$("plots").addEventListener("pointermove", event => {
  const svg = event.target.closest("svg");
  if (!svg || samples.length === 0) return;
  const box = svg.getBoundingClientRect();
  const along = (event.clientX - box.left - LEFT) / (box.width - LEFT);
  const at = samples.at(-1).at - SPAN * (1 - along);
  pointed = samples.reduce((best, sample) => Math.abs(sample.at - at) < Math.abs(best.at - at) ? sample : best);
  drawAll();
});
$("plots").addEventListener("pointerleave", () => { pointed = undefined; drawAll(); });
addEventListener("resize", drawAll);
follow();
