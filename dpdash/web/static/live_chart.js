// The live chart in the browser. A chart element holds the base figures and their nodes; a feed element brings what
// changes, to one chart or several. They find each other here by the charts' keys, in whatever order they arrive.

const charts = new Map(); // key -> what the chart element last brought
const feeds = new Map(); // key -> what the feed element last brought to this chart, with what it brought to others
const scheduled = new Set(); // keys that the next frame draws
const listening = new WeakSet(); // plots whose clicks are heard
const SETTINGS = {
  displaylogo: false,
  displayModeBar: matchMedia("(pointer: coarse)").matches ? false : "hover", // under a finger it would stay, over the title
  showTips: false,
  doubleClick: "reset",
};
const SVG = "Download plot as an SVG";
const buttons = new Map(); // that text in a language -> the bar; plotly draws a chart anew for a bar that is not the same object
const LATEST_MS = 60_000; // a snapshot that is older by more comes from a clock that was set anew, not from far away
const LATER_MS = 100;
const PRESENTED = ".st-key-present_leave"; // it is there while the page is shown to a room
const LARGE = { text: 22, line: 2, marker: 1.6, margin: 1.6 }; // pixels of all letters there, and how many times the usual the rest is
const LEGEND_GAP = 12; // pixels between an axis and the legend
const bottoms = new WeakMap(); // the room that a plot's axis and legend have taken below it
const LEGEND_FROM = 280; // pixels of a compact figure's height: below, its legend would cover too much
let plotly;
let wake; // asks the server for the newest state
let held = false; // a drag is on: a redraw would take the figure out of the hand that zooms it

addEventListener("pointerdown", ({ target }) => (held = Boolean(target.closest?.(".dpdash-plot"))), true);
for (const end of ["pointerup", "pointercancel", "blur"]) {
  addEventListener(end, () => {
    if (!held) return;
    held = false;
    // Plotly ends a drag in its own handler of the same event: its zoom is drawn before the next snapshot is.
    setTimeout(() => [...charts.keys()].forEach(schedule));
  }, true);
}

export function showChart({ data, parentElement, setTriggerValue }) {
  const { key } = data;
  const chart = charts.get(key) ?? { observer: new ResizeObserver(() => schedule(key)) };
  Object.assign(chart, data, { parentElement, nodes: [...parentElement.querySelectorAll(".dpdash-plot")] });
  chart.pick = (point) => typeof point?.customdata === "string" && setTriggerValue("picked", point.customdata);
  chart.nodes.forEach((node, index) => {
    const { name, description } = chart.figures[index];
    node.setAttribute("aria-label", `${name}. ${description}`);
    chart.observer.observe(node);
  });
  charts.set(key, chart);
  // Streamlit makes a new node for each status, and only a live region that stays is read out.
  document.querySelector(".dpdash-status")?.parentElement.setAttribute("aria-live", "polite");
  const mount = (chart.mount = {});
  loadPlotly(data.plotly).then(
    () => {
      chart.nodes.filter((node) => node.hasAttribute("data-failed")).forEach(clear);
      scheduleFirst(key);
    },
    () => chart.nodes.forEach((node) => Object.assign(node, { textContent: data.failure }).setAttribute("data-failed", "")),
  );
  // Streamlit also cleans up after a call that a newer one has overtaken: only the last one may take the chart down.
  return () => chart.mount === mount && removeChart(key);
}

// While nothing trains, no timer runs. A page that was out of sight (another tab, a phone asleep) may have missed that
// a run of its browser went on meanwhile.
document.addEventListener("visibilitychange", () => document.hidden || wake?.());

export function receiveFeed({ data, setTriggerValue }) {
  if (data.wakes) wake = () => setTriggerValue("wake", Date.now());
  const keys = Object.keys(data.updates).filter((key) => !isOvertaken(data, feeds.get(key)));
  for (const key of keys) {
    feeds.set(key, data);
    schedule(key);
  }
  return () => keys.forEach((key) => feeds.get(key) === data && feeds.delete(key));
}

function isOvertaken(data, last) {
  const behind = last?.run === data.run ? last.seq - data.seq : 0;
  return behind > 0 && behind < LATEST_MS;
}

function clear(node) {
  node.replaceChildren();
  node.removeAttribute("data-failed");
}

function removeChart(key) {
  const { nodes, observer } = charts.get(key);
  observer.disconnect();
  for (const node of nodes) {
    plotly?.purge(node);
    listening.delete(node);
  }
  charts.delete(key);
}

function loadPlotly(url) {
  window.dpdashPlotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      window.dpdashPlotly = undefined; // the next call tries again
      reject(new Error(`could not load ${url}`));
    };
    document.head.append(script);
  });
  return window.dpdashPlotly.then((loaded) => (plotly = loaded));
}

// However many snapshots arrive between two frames, one is drawn. A hidden tab gets no frames, and so draws nothing
// until it is seen again.
function schedule(key) {
  if (scheduled.has(key)) return;
  scheduled.add(key);
  requestAnimationFrame(() => {
    scheduled.delete(key);
    const chart = charts.get(key);
    if (plotly && chart && !held) draw(chart, feeds.get(key));
  });
}

// A chart that is added beside others (below the fold) lets the first one be seen before it takes its time.
function scheduleFirst(key) {
  const [first] = charts.keys();
  if (key === first) schedule(key);
  else setTimeout(() => schedule(key), LATER_MS);
}

function draw(chart, feed) {
  const isFed = feed?.run === chart.run;
  // Between two mounts of its element a feed is away for a moment. A curve drawn without its points then would
  // stay invisible for good once its legend has been clicked: plotly keeps what it last made of such a trace.
  if (!isFed && chart.fed === chart.run) return;
  if (isFed) chart.fed = chart.run;
  const updates = isFed ? feed.updates[chart.key] : [];
  const theme = themeOf(chart);
  const settings = { ...SETTINGS, modeBarButtons: barOf(chart.texts), locale: "page", locales: { page: { dictionary: chart.texts } } };
  chart.nodes.forEach((node, index) => {
    if (!node.clientWidth) return; // in a tab that is not shown: the observer calls when it is
    const figure = merged(chart.figures[index], updates[index]);
    const { traces, layout } = document.querySelector(PRESENTED) ? enlarged(figure) : figure;
    const whole = finished(colored(layout, theme), chart.run, node, theme);
    plotly.react(node, colored(traces, theme), whole, settings);
    fill(node, whole, layout.height);
    if (chart.picks) listen(node, chart.key);
  });
}

// A plot that has been purged has lost its listeners, and is drawn into a new node.
function listen(node, key) {
  if (listening.has(node)) return;
  listening.add(node);
  node.on("plotly_click", ({ points }) => charts.get(key)?.pick(points.at(-1)));
}

function barOf(texts) {
  const title = texts[SVG];
  if (!buttons.has(title)) {
    const click = (node) => plotly.downloadImage(node, { format: "svg", filename: "newplot" });
    buttons.set(title, [["resetScale2d", "toImage", { name: "toSvg", title, icon: plotly.Icons.disk, click }]]);
  }
  return buttons.get(title);
}

function merged({ traces, layout }, update) {
  if (!update) return { traces, layout };
  const changes = { ...update.layout };
  for (const [name, value] of Object.entries(changes)) {
    if (Array.isArray(value)) changes[name] = [...(layout[name] ?? []), ...value];
  }
  return {
    traces: traces.map((trace) => ({ ...trace, ...update.traces[trace.uid] })),
    layout: { ...layout, ...changes },
  };
}

// The figure in letters and lines that the last row of a room can tell apart. `name` is what a part of it is called.
function enlarged(part, name = "") {
  if (Array.isArray(part)) return part.map((item) => enlarged(item, name));
  if (part === null || typeof part !== "object") return part;
  const sized = ([key, item]) => {
    if (typeof item !== "number") return [key, enlarged(item, key)];
    if (key === "size" && name.endsWith("font")) return [key, LARGE.text];
    if (name === "margin" || (name === "line" && key === "width") || (name === "marker" && key === "size")) return [key, item * LARGE[name]];
    return [key, item];
  };
  return Object.fromEntries(Object.entries(part).map(sized));
}

// A narrow plot, or one that fills a screen, keeps room for a legend of many rows; what its own does not take, the plot does.
function fill(node, { margin, height, meta }, usual) {
  if (meta?.compact || (height <= usual && !document.querySelector(PRESENTED))) return;
  // Where the labels of an axis say all, it has no title.
  const titled = (node.querySelector(".xtitle") ?? node.querySelector(".xaxislayer-above"))?.getBBox();
  if (!titled) return;
  const legend = node.querySelector("g.legend")?.getBBox().height ?? 0;
  const bottom = Math.ceil(titled.y + titled.height - (height - margin.b) + legend + LEGEND_GAP);
  if (Math.abs(bottom - margin.b) > LEGEND_GAP / 2) {
    bottoms.set(node, bottom);
    plotly.relayout(node, { "margin.b": bottom });
  }
}

function finished(layout, run, node, theme) {
  const isCompact = layout.meta?.compact;
  const isPresented = document.querySelector(PRESENTED);
  const taller = isCompact || isPresented ? 0 : node.clientHeight - layout.height;
  if (taller || (isPresented && !isCompact)) layout.margin = { ...layout.margin, b: bottoms.get(node) ?? layout.margin.b + taller };
  if (isCompact && node.clientHeight < LEGEND_FROM) layout.showlegend = false;
  Object.assign(layout, { uirevision: run, width: node.clientWidth, height: node.clientHeight });
  layout.font = { ...layout.font, family: theme.font };
  if (window.matchMedia("(pointer: coarse)").matches) {
    // A drag on a touch screen is for the page: plotly's drag layer would swallow it.
    layout.dragmode = false;
    for (const axis of ["xaxis", "yaxis"]) layout[axis] = { ...layout[axis], fixedrange: true };
  }
  return layout;
}

function themeOf({ parentElement, mixes }) {
  const style = getComputedStyle(parentElement);
  const read = (name) => style.getPropertyValue(`--st-${name}`).trim();
  const text = read("text-color");
  const background = read("background-color");
  const colors = {
    text,
    background,
    primary: read("primary-color"),
  };
  for (const [role, share] of Object.entries(mixes)) colors[role] = mixed(text, background, share);
  read("chart-categorical-colors").split(",").forEach((color, index) => (colors[`series-${index + 1}`] = color.trim()));
  const steps = read("chart-sequential-colors").split(",");
  colors.sequential = steps.map((color, index) => [index / (steps.length - 1), color.trim()]);
  return { colors, font: read("font") };
}

// Every "role:NAME" or "role:NAME@ALPHA" in a figure becomes the theme's colour of that name.
function colored(value, theme) {
  if (typeof value === "string") return value.startsWith("role:") ? colorOf(value.slice(5), theme.colors) : value;
  if (Array.isArray(value)) return value.map((item) => colored(item, theme));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, colored(item, theme)]));
}

function colorOf(role, colors) {
  const [name, alpha] = role.split("@");
  return alpha === undefined ? colors[name] : faded(colors[name], Number(alpha));
}

function faded(color, alpha) {
  return `rgba(${channels(color)},${alpha})`;
}

function mixed(color, other, share) {
  const rest = channels(other);
  return `rgb(${channels(color).map((channel, index) => Math.round(share * channel + (1 - share) * rest[index]))})`;
}

const canvas = document.createElement("canvas").getContext("2d");

function channels(color) {
  canvas.fillStyle = color; // a canvas writes any opaque colour as #rrggbb
  return [1, 3, 5].map((at) => parseInt(canvas.fillStyle.slice(at, at + 2), 16));
}
