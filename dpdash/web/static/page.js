// What a page of the dashboard does in the browser beside Streamlit: the poster, modules, shortcuts, links after a field,
// the address, the language.
// It is fetched with the first bytes and stays for as long as the page is open.

// Opened at a page's own address, Streamlit would look for its server below that first, and be told twice that it is not there.
window.__streamlit = { BACKEND_BASE_URL: new URL("../../../", document.currentScript.src).href };
const SHORTCUTS = new Map(Object.entries(JSON.parse(document.currentScript.dataset.shortcuts)));
const WORDS = JSON.parse(document.currentScript.dataset.words); // by language; what it lacks is English
const BEGINS = new Set(["Help for", "Shortcut", "Remove"]); // words that a name follows
const LINK = "[data-testid='stTopNavLink'], [data-testid='stSidebarNavLink'], [data-testid='stPageLink-NavLink']";
const TEXT = "input:not([type='range']):not([type='checkbox']):not([type='radio']), textarea, [contenteditable='true']";
const POLL_MS = 20;
const LONGEST_MS = 1000; // text that is what it was before is never sent
const NARROW = "(max-width: 768px)"; // where Streamlit lays its sidebar over the page
const CONTENT = "[data-testid='stMain'] :is(.dpdash-title, [data-testid='stException'], [data-testid='stAlert'])";
const WHOLE = "[data-testid='stApp'][data-test-script-state='notRunning']";
const PLOTS = ".st-key-dpdash-frame-training .dpdash-plot";
const POSTER_MS = 30_000; // what has not come by then will not; what Streamlit says instead must be seen
const AGAIN_MS = 1_000;
const opened = location.pathname;

// What changes between two frames is looked at once.
let due = false;
new MutationObserver(() => {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    speak();
    replacePoster();
  });
}).observe(document, { childList: true, subtree: true });
setTimeout(takePosterAway, POSTER_MS);

// The document came in the language that the browser asked for; a person may have chosen another since.
function speak() {
  const spoken = document.querySelector("h1.dpdash-title[lang]")?.lang;
  const before = document.documentElement.lang;
  if (!spoken || before === spoken) return;
  document.documentElement.lang = spoken;
  retell(before);
}

// What Streamlit's scripts write, which they are sent to ask for here (streamlit_internals/own_texts.py).
window.dpdashText = (text) => {
  const words = text.trim();
  return text.replace(words, WORDS[document.documentElement.lang]?.[words] ?? words);
};

// What stands there in another language, and is drawn again only when something else about it changes.
function retell(before) {
  const texts = Object.keys(Object.values(WORDS)[0] ?? {});
  const known = new Map(texts.map((text) => [WORDS[before]?.[text] ?? text, text]));
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (known.has(node.data)) node.data = dpdashText(known.get(node.data));
    const label = node.ariaLabel;
    if (!label) continue;
    const begins = (one) => BEGINS.has(known.get(one)) && label.startsWith(`${one} `);
    const said = known.has(label) ? label : [...known.keys()].find(begins);
    if (said) node.ariaLabel = dpdashText(known.get(said)) + label.slice(said.length);
  }
}

// The poster stands for the page until there is one; then its figure stands for the chart, where that will be drawn.
function replacePoster() {
  const poster = document.getElementById("dpdash-poster");
  if (!poster || !document.querySelector(CONTENT)) return;
  const plot = [...document.querySelectorAll(PLOTS)].at(-1);
  const figure = poster.querySelector("figure");
  if (!figure || location.pathname !== opened || plot?.matches("[data-failed], :has(.scatterlayer .trace)")) {
    takePosterAway();
    return;
  }
  poster.classList.add("over");
  // Until the page is whole, what comes above the chart still moves it.
  if (!plot || !document.querySelector(WHOLE)) return;
  const { left, top, width, height } = plot.getBoundingClientRect();
  Object.assign(figure.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
}

function takePosterAway() {
  document.getElementById("dpdash-poster")?.remove();
}

// The module of a component. While it cannot be fetched, the component says so, and asks again: under another address,
// as there are browsers that remember that a module was not there.
let tries = 0;
window.dpdashModule = async ({ data, parentElement }) => {
  for (;;) {
    const tried = tries;
    const address = new URL(data.script, document.baseURI);
    if (tried) address.searchParams.set("try", tried);
    try {
      const module = await import(address.href);
      parentElement.querySelectorAll("[data-failed]").forEach((node) => tell(node, ""));
      return module;
    } catch {
      if (tries === tried) tries += 1; // one address for all that ask: they share what the module knows
      parentElement.querySelectorAll(".dpdash-plot, [role='status']").forEach((node) => tell(node, data.failure));
      await new Promise((done) => setTimeout(done, AGAIN_MS));
    }
  }
};

function tell(node, failure) {
  node.textContent = failure;
  node.toggleAttribute("data-failed", Boolean(failure));
}

// A field sends its text after it has lost the focus: on a slow machine after the click that took the focus from it.
// The page that a link opens would then be left again at once, so a link waits until the text has gone.
let typed = false;
let unsent = -Infinity; // when a field with new text lost the focus; nothing has been sent since
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (data) {
  unsent = -Infinity;
  return send.call(this, data);
};
addEventListener("input", ({ target }) => (typed ||= target.matches?.(TEXT)), true);
addEventListener("focusout", ({ target }) => {
  if (typed && target.matches?.(TEXT)) unsent = performance.now();
  typed = false;
}, true);
addEventListener("click", (event) => {
  const link = event.target.closest?.(LINK);
  if (!link) return;
  if (performance.now() - unsent > LONGEST_MS) return openAtTop();
  event.preventDefault();
  event.stopImmediatePropagation();
  setTimeout(() => link.click(), POLL_MS);
}, true);

// In another site's frame the browser is known there alone (its cookie is one for that site), and not in a tab beside it.
if (window.top !== window) {
  addEventListener("click", ({ target }) => {
    const file = target.closest?.("a[href*='/dpdash/export/']");
    if (file) file.target = "_self";
  }, true);
}
// A whole number may be typed with the signs between its thousands: as the browser reads it, 1.234 would be 1.
addEventListener("beforeinput", (event) => {
  const { target, data } = event;
  if (!target.matches?.("input[type='number'][step='1']") || !/[.,\s]/.test(data ?? "")) return;
  event.preventDefault();
  document.execCommand("insertText", false, data.replace(/[.,\s]/g, ""));
}, true);

// A page opens at its top, and on a phone the menu that it was chosen from closes.
function openAtTop() {
  document.querySelector("[data-testid='stMain']")?.scrollTo(0, 0);
  if (matchMedia(NARROW).matches) document.querySelector("[data-testid='stSidebarCollapseButton'] button")?.click();
}

// Streamlit opens its sidebar beside the page from 768 pixels on: on a phone that lies on its side, over half of it.
if (matchMedia("(max-height: 480px)").matches) {
  const seeking = setInterval(() => {
    const close = document.querySelector("[data-testid='stSidebarCollapseButton'] button");
    close?.click();
    if (close) clearInterval(seeking);
  }, 50);
  setTimeout(() => clearInterval(seeking), 20_000);
}

// Chords work wherever the focus is, but in a text field.
addEventListener("keydown", (event) => {
  if (event.repeat || event.target.closest?.(TEXT)) return;
  const keys = [event.ctrlKey && "Ctrl", event.altKey && "Alt", event.shiftKey && "Shift", named(event)];
  const button = document.querySelector(SHORTCUTS.get(keys.filter(Boolean).join("+")) ?? ":not(*)");
  if (!button || button.disabled) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  button.click();
}, true);

function named({ key, code }) {
  return code === "Space" ? "Space" : key.length === 1 ? key.toUpperCase() : key.replace("Arrow", "");
}

// Settings belong to the page that is open, and are no step back; another page, or another run, is one.
const push = history.pushState.bind(history);
history.pushState = (state, title, address) => {
  const next = new URL(address ?? location.href, location.href);
  const isStep = next.pathname !== location.pathname || run(next) !== run(location);
  (isStep ? push : history.replaceState.bind(history))(state, title, address);
};

function run({ search }) {
  return new URLSearchParams(search).get("run");
}

// Over plain HTTP, as in a classroom, a page has no clipboard of its own: a text is selected, and the selection copied.
addEventListener("click", ({ target }) => {
  const button = target.closest?.(".dpdash-copy");
  if (!button) return;
  const field = document.createElement("textarea");
  field.value = button.dataset.text;
  field.readOnly = true; // or a phone would show its keyboard
  button.after(field);
  field.select();
  if (document.execCommand("copy")) button.textContent = button.dataset.done;
  field.remove();
});
