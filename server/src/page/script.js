"use strict";
const $ = id => document.getElementById(id);
const names = new Intl.DisplayNames(["en"], { type: "region" });
const microseconds = time => time < 100 ? time.toFixed(1) + " µs"
  : time < 10000 ? Math.round(time) + " µs"
  : time < 1e6 ? (time / 1000).toFixed(1) + " ms" : (time / 1e6).toFixed(1) + " s";

async function ask(ip, via, repeat) {
  const begin = performance.now();
  const response = await fetch("/lookup?" + new URLSearchParams({ ip, via, repeat }));
  const body = await response.json();
  return { status: response.status, body, round: (performance.now() - begin) * 1000 };
}

function countryOf(code) {
  try { return names.of(code); } catch { return code; }
}

function showAnswer({ status, body }) {
  $("answer").className = status === 200 ? "" : "bad";
  $("code").textContent = status === 200 ? body.country ?? "…" : status === 404 ? "?" : "!";
  $("name").textContent = status === 200 ? (body.country ? countryOf(body.country) : "No country in its record")
    : status === 404 ? "Not in the database" : "No answer";
  $("network").textContent = status === 200
    ? "every address in " + body.network : body.reason ?? "the server answered " + status;
}

/** How often each way is measured. */
const ROUNDS = 5;

const median = values => values.sort((a, b) => a - b)[values.length >> 1];

/**
 * Asks both ways in turn, so that neither waits for the other's processor. The first of each is not
 * counted: it may be the one that has the file read from the disk and its pages mapped.
 */
async function measure(ip, repeat) {
  const found = { iommap: [], wasi: [] };
  for (let round = 0; round <= ROUNDS; round++)
    for (const via of ["iommap", "wasi"]) {
      const answer = await ask(ip, via, repeat);
      if (!answer.body.micros) return;
      if (round > 0) found[via].push(answer);
    }
  return found;
}

function showBars(name, found, time) {
  const times = Object.entries(found).map(([via, answers]) => [via, median(answers.map(time))]);
  const longest = Math.max(...times.map(([, took]) => took), 1e-9);
  for (const [via, took] of times) {
    const bar = $(name + "-" + via);
    bar.style.width = 100 * took / longest + "%";
    bar.closest(".row").querySelector("span").textContent = microseconds(took);
  }
}

function showTimings(found) {
  showBars("lookup", found, ({ body }) => body.micros.lookup / body.repeat);
  showBars("open", found, ({ body }) => body.micros.open);
  const { reads, repeat } = found.iommap[0].body;
  const round = via => microseconds(median(found[via].map(answer => answer.round)));
  $("note").textContent = `Medians of ${ROUNDS} requests each way, in turn, after one of each that isn't ` +
    `counted. Each opens the file anew: ${reads.open} reads of it to open the database, and ` +
    `${Math.round(reads.lookup / repeat)} for a lookup, either way. From this page and back a request ` +
    `took ${round("iommap")} mapped and ${round("wasi")} read.`;
}

let latest = 0;
async function lookUp(ip) {
  const mine = ++latest, repeat = $("repeat").value;
  $("ip").value = ip;
  const query = new URLSearchParams({ ip });
  history.replaceState(null, "", "/?" + query);
  $("json").href = "/lookup?" + query;
  $("json").textContent = "/lookup?ip=" + ip;
  try {
    const answer = await ask(ip, "iommap", 1);
    if (mine !== latest) return;
    showAnswer(answer);
    $("timings").hidden = true;
    $("result").hidden = false;
    const found = answer.body.micros && await measure(ip, repeat);
    if (mine !== latest) return;
    $("timings").hidden = !found;
    if (found) showTimings(found);
  } catch (error) {
    if (mine !== latest) return;
    showAnswer({ status: 0, body: { reason: "The server cannot be reached: " + error.message } });
    $("timings").hidden = true;
    $("result").hidden = false;
  }
}

$("form").addEventListener("submit", event => { event.preventDefault(); lookUp($("ip").value.trim()); });
$("try").addEventListener("click", event => { if (event.target.tagName === "BUTTON") lookUp(event.target.textContent); });
$("repeat").addEventListener("change", () => lookUp($("ip").value.trim()));
const asked = new URLSearchParams(location.search).get("ip");
if (asked) lookUp(asked);
