// SPDX-License-Identifier: MIT
// The live page: what /events tells, as tables and plots. Text goes into the page as text,
// never as HTML: names of programs are anybody's.
"use strict";

const HISTORY = 120, EVENTS_MAX = 100, COLOURS = 6;
const $ = id => document.getElementById(id);
let reasons = {}, now = null, before = null, chosen = 0;
const paths = new Map(); // local address -> {colour, rate: [], rtt: []}

// The token comes behind the address's #, which is sent to nobody, and is kept for reloads.
if (location.hash.length > 1) {
  sessionStorage.setItem("token", location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
}
const token = sessionStorage.getItem("token") || "";

function scaled(value, unit) {
  const units = ["", "k", "M", "G", "T"];
  let i = 0;
  for (; value >= 999.5 && i < 4; i++) value /= 1000;
  return value.toFixed(i && value < 99.95 ? 1 : 0) + " " + units[i] + unit;
}
const rate = bits => bits ? scaled(bits, "bit/s") : "0";
const size = bytes => scaled(bytes, "B");
const time = us => !us ? "" : us < 1000 ? us + " us" :
  us < 1e6 ? (us / 1000).toFixed(1) + " ms" : (us / 1e6).toFixed(2) + " s";

function difference(object, old, member) {
  const us = before ? now.daemon.uptime_us - before.daemon.uptime_us : 0;
  if (!old || us <= 0 || object[member] < old[member]) return 0;
  return (object[member] - old[member]) * 8e6 / us;
}

function element(name, text, kind) {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  if (kind) e.className = kind;
  return e;
}

function button(text, label, action) {
  const b = element("button", text);
  b.setAttribute("aria-label", label);
  b.dataset.key = label;
  b.addEventListener("click", action);
  return b;
}

// Rows anew, without taking the focus away from who is at one of their buttons.
function fill(body, rows) {
  const at = body.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  body.replaceChildren(...rows);
  if (at)
    for (const b of body.querySelectorAll("button")) if (b.dataset.key === at) b.focus();
}

function row(cells, kind) {
  const tr = element("tr", undefined, kind);
  for (const cell of cells) {
    const td = element("td");
    td.append(cell);
    tr.append(td);
  }
  return tr;
}

// ---- paths

function plot(svg, top, series, format) {
  const most = Math.max(0, ...[...series.values()].flatMap(s => s.values));
  top.textContent = most ? "up to " + format(most) : "";
  svg.replaceChildren(...[...series.values()].map(s => {
    const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
    const first = HISTORY - s.values.length;
    line.setAttribute("class", s.colour);
    line.setAttribute("points", s.values.map((v, i) =>
      `${first + i},${(39 - 37 * v / (most || 1)).toFixed(2)}`).join(" "));
    return line;
  }));
  svg.setAttribute("aria-label", svg.dataset.label + ": " + [...series].map(([name, s]) =>
    name + " " + (format(s.values[s.values.length - 1]) || "unknown")).join(", "));
}

function remember(values, value) {
  values.push(value);
  if (values.length > HISTORY) values.shift();
}

function showPaths() {
  const rows = now.paths.map(p => {
    const old = before && before.paths.find(b => b.local === p.local);
    const out = difference(p, old, "bytes_sent"), into = difference(p, old, "bytes_received");
    if (!paths.has(p.local))
      paths.set(p.local, {colour: "p" + paths.size % COLOURS, rate: [], rtt: []});
    const path = paths.get(p.local);
    remember(path.rate, out + into);
    remember(path.rtt, p.srtt_us);
    return row([element("span", "\u25cf " + p.local, path.colour), rate(out), rate(into),
                time(p.srtt_us), String(p.subflows), size(p.bytes_reinjected)]);
  });
  fill($("paths"), rows);
  const series = member => new Map([...paths].map(([name, p]) =>
    [name, {colour: p.colour, values: p[member]}]));
  plot($("rate-plot"), $("rate-top"), series("rate"), rate);
  plot($("rtt-plot"), $("rtt-top"), series("rtt"), time);
}

// ---- connections

function why(name) { return reasons[name] || name; }

function matches(c) {
  const text = $("filter").value;
  return !text || [c.program, c.local, c.remote, c.scheduler, c.cc].some(v => v && v.includes(text));
}

function carriedAs(c) {
  if (!c.established) return element("span", "opening", "quiet");
  return c.multipath ? element("span", "MPTCP v" + c.version + ", " + c.scheduler, "good")
                     : element("span", "plain TCP: " + why(c.fallback), "bad");
}

function old(conn) {
  return before && before.connections.find(b => b.conn === conn);
}

function choose(conn) {
  chosen = conn;
  show();
}

function showConnections() {
  const rows = now.connections.filter(matches).map(c => row(
    [button(String(c.conn), `show the subflows of connection ${c.conn}`, () => choose(c.conn)),
     c.program || "", c.remote, rate(difference(c, old(c.conn), "bytes_acked")),
     rate(difference(c, old(c.conn), "bytes_received")), carriedAs(c)],
    c.conn === chosen ? "chosen" : ""));
  fill($("conns"), rows);
  $("more").textContent = now.more ? `and ${now.more} older ones` :
    rows.length ? "" : "none";
}

// ---- subflows

async function ask(request) {
  const answer = await fetch("control", {method: "POST", headers: {"X-Plait-Token": token},
    body: JSON.stringify({plait: 1, ...request})});
  const text = await answer.text();
  let said = text;
  try { said = JSON.parse(text).text || ""; } catch { /* no JSON: a sentence */ }
  $("said").textContent = said;
}

function actions(conn, s) {
  const span = element("span");
  if (!now.control || s.closed) return span;
  span.append(
    button(s.backup ? "use" : "backup", `${s.backup ? "use" : "make a backup of"} subflow ${s.id}`,
      () => ask({do: "set", conn, subflow: s.id, backup: !s.backup})),
    button("close", `close subflow ${s.id}`, () => ask({do: "close", conn, subflow: s.id})));
  return span;
}

function stateOf(s) {
  if (s.closed) return element("span", why(s.closed_why), "bad");
  if (s.stale) return element("span", "stale", "bad");
  return element("span", (s.backup ? "backup, " : "") + s.state.toLowerCase(),
                 s.backup ? "quiet" : "good");
}

function showSubflows() {
  const c = now.connections.find(c => c.conn === chosen), had = old(chosen);
  if (!c) {
    $("chosen").textContent = chosen ? `Connection ${chosen} is gone.`
                                     : "Choose a connection by its number.";
    fill($("subflows"), []);
    return;
  }
  $("chosen").textContent = `Connection ${c.conn}: ${c.program} ${c.local} to ${c.remote}, ` +
    `${c.scheduler}, ${c.cc}`;
  fill($("subflows"), c.subflows.map(s => {
    const was = had && had.subflows.find(b => b.id === s.id);
    return row([String(s.id), s.local, rate(difference(s, was, "bytes_sent")),
      rate(difference(s, was, "bytes_received")), time(s.srtt_us), size(s.cwnd_bytes),
      size(s.in_flight_bytes), String(s.retransmits), stateOf(s), actions(c.conn, s)]);
  }));
}

// ---- what comes

function show() {
  const d = now.daemon;
  $("daemon").textContent = `plaitd ${d.pid}, ${d.memory.connections} connections, ` +
    `${d.memory.subflows} subflows, ${size(d.memory.used_bytes)}`;
  showConnections();
  showSubflows();
}

function addEvent(text) {
  $("events").prepend(element("li", text));
  while ($("events").children.length > EVENTS_MAX) $("events").lastChild.remove();
}

for (const id of ["rate-plot", "rtt-plot"]) $(id).dataset.label = $(id).getAttribute("aria-label");
$("filter").addEventListener("input", () => now && show());
const source = new EventSource("events");
source.addEventListener("reasons", e => { reasons = JSON.parse(e.data); });
source.addEventListener("status", e => {
  before = now;
  now = JSON.parse(e.data);
  if (!chosen && now.connections.length) chosen = now.connections[now.connections.length - 1].conn;
  showPaths();
  show();
});
source.addEventListener("stack", e => {
  const v = JSON.parse(e.data);
  addEvent(`${(v.time_us / 1e6).toFixed(3)}  ${v.conn || ""}${v.subflow ? "/" + v.subflow : ""}  ` +
    v.event.replaceAll("_", " ") + (v.bytes ? `, ${v.bytes} bytes` : "") +
    (v.reason ? ": " + why(v.reason) : ""));
});
source.addEventListener("lost", e => addEvent(e.data + " events came too fast to be shown"));
source.onerror = () => { $("daemon").textContent = "no answer from the daemon"; };
