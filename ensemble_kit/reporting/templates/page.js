"use strict";
(() => {
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const root = document.documentElement;
root.classList.add("js");
const view = JSON.parse($("#report-data").textContent);

/* theme */
const themes = ["auto", "light", "dark"];
const stored = () => { try { return localStorage.getItem("theme") || "auto"; } catch { return "auto"; } };
const setTheme = (theme) => {
  if (theme === "auto") root.removeAttribute("data-theme"); else root.setAttribute("data-theme", theme);
  $("#theme").textContent = "Theme: " + theme;
  try { localStorage.setItem("theme", theme); } catch { /* a private window keeps nothing */ }
};
$("#theme").addEventListener("click", () =>
  setTheme(themes[(themes.indexOf(root.getAttribute("data-theme") || "auto") + 1) % 3]));
setTheme(themes.includes(stored()) ? stored() : "auto");
$("#print").addEventListener("click", () => print());

/* on paper, what can no longer be opened stands open */
let opened = [];
addEventListener("beforeprint", () => {
  opened = $$("details[data-print]:not([open])");
  opened.forEach((block) => { block.open = true; });
});
addEventListener("afterprint", () => opened.forEach((block) => { block.open = false; }));

/* downloads */
const save = (name, type, text) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};
const field = (value) => {
  const text = value === null || value === undefined ? "" : String(value);
  const safe = /^[=+@\t\r]|^-(?![\d.])/.test(text) ? "'" + text : text;
  return /[",\n\r]/.test(safe) ? '"' + safe.replaceAll('"', '""') + '"' : safe;
};
const csv = (rows) => rows.map((row) => row.map(field).join(",")).join("\n") + "\n";
const words = (cell) => (cell.dataset.csv ?? cell.textContent).replace(/\s+/g, " ").replaceAll("−", "-").trim();
const stem = view.name.replace(/[^\w.-]+/g, "_").slice(0, 80);
$$("[data-save]").forEach((button) => button.addEventListener("click", () => {
  if (button.dataset.save === "json") save(stem + ".report.json", "application/json", JSON.stringify(view));
  else {
    const { places = [], figures = [], methods = [], rows = [] } = view.metrics || {};
    const head = ["scope", "slice", "class", "metric", "value", "low", "high", "level", "method", "unit", "n_groups", "note"];
    save(stem + ".metrics.csv", "text/csv", csv([head, ...rows.map(([place, figure, method, value, low, high, groups]) => {
      const [level, how, unit, note] = methods[method];
      return [...places[place], ...figures[figure], value, low, high, level, how, unit, groups, note];
    })]));
  }
}));
const quiet = (label, title, act) => {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  button.textContent = label;
  button.setAttribute("aria-label", title);
  button.addEventListener("click", act);
  return button;
};
$$("table[id]").forEach((table) => {
  const title = table.caption ? table.caption.textContent.trim() : table.id;
  table.caption.append(quiet("CSV", "Download as CSV: " + title, () =>
    save(stem + "." + table.id + ".csv", "text/csv", csv([...table.rows].map((row) => [...row.cells].map(words))))));
});
const DRAWN = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-family", "font-size", "font-weight", "text-anchor"];
const standalone = (svg) => {
  const copy = svg.cloneNode(true);
  const from = [svg, ...svg.querySelectorAll("*")], to = [copy, ...copy.querySelectorAll("*")];
  from.forEach((element, i) => {
    const style = getComputedStyle(element);
    DRAWN.forEach((property) => to[i].setAttribute(property, style.getPropertyValue(property)));
    to[i].removeAttribute("class");
  });
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  return new XMLSerializer().serializeToString(copy);
};
$$("figure[id]").forEach((figure) => {
  const svg = $("svg.fig", figure);
  if (svg) figure.append(quiet("SVG", "Download figure as SVG: " + (svg.getAttribute("aria-label") || figure.id).slice(0, 120), () =>
    save(stem + "." + figure.id + ".svg", "image/svg+xml", standalone(svg))));
});

/* sortable tables */
const value = (row, column) => {
  const cell = row.cells[column];
  const raw = cell.dataset.v ?? cell.textContent.trim();
  return raw === "" ? null : isNaN(raw) ? raw.toLowerCase() : Number(raw);
};
const order = (a, b) => (typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1);
$$("table.sortable").forEach((table) => {
  $$("thead th", table).forEach((head, column) => {
    if (head.classList.contains("nosort")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    if ($("a", button)) { const link = $("a", button); link.replaceWith(...link.childNodes); }
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const next = head.getAttribute("aria-sort") === "descending" ? "ascending" : "descending";
      $$("thead th[aria-sort]", table).forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", next);
      const sign = next === "ascending" ? 1 : -1;
      const rows = [...table.tBodies[0].rows].map((row) => [value(row, column), row]);
      rows.sort(([a], [b]) => (a === null ? (b === null ? 0 : 1) : b === null ? -1 : sign * order(a, b)));
      table.tBodies[0].append(...rows.map(([, row]) => row));
    });
  });
});

/* definitions, one click away */
const tip = $("#tip");
let asked = null;
const closeTip = () => { if (!tip.hidden) { tip.hidden = true; if (asked) asked.focus(); asked = null; } };
document.addEventListener("click", (event) => {
  const link = event.target.closest("a.term");
  if (!link) { if (!tip.contains(event.target)) tip.hidden = true; return; }
  const entry = document.getElementById(link.hash.slice(1));
  if (!entry) return;
  event.preventDefault();
  asked = link;
  tip.replaceChildren();
  const head = document.createElement("p"), bold = document.createElement("strong");
  bold.textContent = entry.textContent;
  head.append(bold);
  tip.append(head);
  for (let node = entry.nextElementSibling; node && node.tagName === "DD"; node = node.nextElementSibling) {
    const line = document.createElement("p");
    line.append(...node.cloneNode(true).childNodes);
    tip.append(line);
  }
  tip.append(quiet("Close", "Close the definition", closeTip));
  tip.hidden = false;
  const box = link.getBoundingClientRect(), width = tip.offsetWidth;
  tip.style.left = Math.max(8, Math.min(box.left, root.clientWidth - width - 8)) + scrollX + "px";
  tip.style.top = box.bottom + 8 + scrollY + "px";
  tip.focus();
});
document.addEventListener("keydown", (event) => { if (event.key === "Escape") closeTip(); });

/* images: filter by kind and class */
const gallery = $("#gallery");
const filters = $$("[data-filter]");
const filterImages = () => {
  let shown = 0;
  $$("li", gallery).forEach((item) => {
    item.hidden = filters.some((select) => select.value !== "" &&
      !(JSON.parse(item.dataset[select.dataset.filter])).includes(select.value));
    shown += !item.hidden;
  });
  $("#gallery-count").textContent = shown + (shown === 1 ? " image" : " images");
};
if (gallery) { filters.forEach((select) => select.addEventListener("change", filterImages)); filterImages(); }

/* the operating-point explorer */
const explore = (() => {
  const box = $("#explorer");
  const data = view.explorer;
  if (!box || !data.targets.length) return null;
  const grid = data.thresholds;
  const from = (counts) => {
    const tail = new Array(counts.length + 1).fill(0);
    for (let i = counts.length - 1; i >= 0; i--) tail[i] = tail[i + 1] + counts[i];
    return tail;
  };
  const targets = data.targets.map((target) => ({ ...target, p: from(target.positive), n: from(target.negative) }));
  const state = { target: 0, index: 0, prevalence: null };
  const nearest = (threshold) => {
    let best = 0;
    grid.forEach((t, i) => { if (Math.abs(t - threshold) < Math.abs(grid[best] - threshold)) best = i; });
    return best;
  };
  const ratio = (a, b) => (b > 0 ? a / b : null);
  const figures = (which, index, prevalence) => {
    const t = targets[which], tp = t.p[index], fp = t.n[index], fn = t.p[0] - tp, tn = t.n[0] - fp;
    const sensitivity = ratio(tp, t.p[0]), specificity = ratio(tn, t.n[0]);
    const own = (t.p[0]) / (t.p[0] + t.n[0]);
    const pi = prevalence ?? own, odds = grid[index] < 1 ? grid[index] / (1 - grid[index]) : null;
    const up = sensitivity * pi, miss = (1 - sensitivity) * pi;
    const alarm = (1 - specificity) * (1 - pi), clear = specificity * (1 - pi);
    return { threshold: grid[index], prevalence: pi, tp, fp, fn, tn, sensitivity, specificity,
      ppv: ratio(up, up + alarm), npv: ratio(clear, clear + miss),
      net_benefit: odds === null ? null : up - alarm * odds, positive_rate: up + alarm };
  };
  const show = (x, digits = 3) => (x === null || Number.isNaN(x) ? "–" : x.toFixed(digits).replace("-", "−"));
  const between = (low, high) => (low === null || high === null || low === undefined || high === undefined ? "" : show(low) + " to " + show(high));
  const after = (lr, pi) => (lr === null ? 1 : lr * pi / (lr * pi + 1 - pi));
  const mark = () => (targets[state.target].points || []).find((point) => nearest(point.threshold) === state.index);
  const SVG = "http://www.w3.org/2000/svg";
  const node = (name, attributes) => {
    const made = document.createElementNS(SVG, name);
    Object.entries(attributes).forEach(([key, text]) => made.setAttribute(key, text));
    return made;
  };
  const W = 230, L = 34, T = 8;
  const chart = $("#explorer-roc"), bars = $("#explorer-hist");
  const drawTarget = () => {
    const t = targets[state.target];
    const css = t.kind === "class" ? "k" + ((view.data.classes || []).findIndex((c) => c.name === t.name) % 10) : "ink";
    $$(".moving", chart).forEach((old) => old.remove());
    const points = grid.map((_, i) => [t.n[i] / (t.n[0] || 1), t.p[i] / (t.p[0] || 1)]).concat([[0, 0]]);
    const d = points.map(([x, y], i) => (i ? "L" : "M") + (L + W * x).toFixed(1) + " " + (T + W * (1 - y)).toFixed(1)).join("");
    chart.append(node("path", { class: "moving line " + css, d }));
    chart.append(node("circle", { class: "moving dot " + css, id: "explorer-dot", r: 6 }));
    $$(".moving", bars).forEach((old) => old.remove());
    const width = 40, sums = [new Array(width).fill(0), new Array(width).fill(0)];
    grid.forEach((threshold, i) => {
      const bin = Math.min(width - 1, Math.floor(threshold * width));
      sums[0][bin] += t.positive[i];
      sums[1][bin] += t.negative[i];
    });
    sums.forEach((counts, side) => {
      const most = Math.max(...counts) || 1;
      counts.forEach((count, bin) => {
        const height = 34 * Math.sqrt(count / most);
        bars.append(node("rect", { class: "moving hist " + (side ? "k9" : css), x: L + (W * bin) / width + .5,
          y: (side ? 42 : 40 - height).toFixed(1), width: W / width - 1, height: height.toFixed(1) }));
      });
    });
    bars.append(node("line", { class: "moving ref", id: "explorer-line", y1: 2, y2: 80 }));
    const holder = $("#explorer-marks");
    holder.replaceChildren(...(t.points || []).map((point) =>
      quiet(point.name, point.rule + ", threshold " + point.threshold, () => { state.index = nearest(point.threshold); draw(); })));
  };
  const draw = () => {
    const f = figures(state.target, state.index, state.prevalence), point = mark();
    $("#explorer-threshold").value = state.index;
    $("#explorer-threshold").setAttribute("aria-valuetext", "threshold " + f.threshold);
    $("#explorer-number").value = f.threshold;
    if (document.activeElement !== $("#explorer-prevalence")) $("#explorer-prevalence").value = +(100 * f.prevalence).toFixed(2);
    const set = (key, text, interval) => {
      const place = $('[data-read="' + key + '"]');
      place.firstChild.textContent = text;
      $("small", place).textContent = interval || "";
    };
    const range = (number) => (point && number ? between(number.low, number.high) : "");
    set("sensitivity", show(f.sensitivity), range(point && point.sensitivity));
    set("specificity", show(f.specificity), range(point && point.specificity));
    const [a, b] = point ? point.odds_positive : [], [c, d] = point ? point.odds_negative : [];
    const rest = (lr) => (lr === null ? 0 : 1 - after(lr, f.prevalence));
    set("ppv", show(f.ppv), point ? between(after(a, f.prevalence), after(b, f.prevalence)) : "");
    set("npv", show(f.npv), point ? between(rest(d), rest(c)) : "");
    let spread = "";
    if (point && f.net_benefit !== null) {
      const [vs, vf, cov] = point.spread, w = (1 - f.prevalence) * f.threshold / (1 - f.threshold), pi = f.prevalence;
      const se = Math.sqrt(Math.max(pi * pi * vs + w * w * vf + 2 * pi * w * cov, 0));
      spread = between(f.net_benefit - 1.959964 * se, f.net_benefit + 1.959964 * se);
    }
    set("net_benefit", show(f.net_benefit, 4), spread);
    set("calls", (1000 * f.positive_rate).toFixed(0), "positive calls in 1,000 such images");
    ["tp", "fp", "fn", "tn"].forEach((key) => { $('[data-count="' + key + '"]').textContent = f[key].toLocaleString("en"); });
    const t = targets[state.target];
    const dot = $("#explorer-dot");
    dot.setAttribute("cx", L + W * (t.n[state.index] / (t.n[0] || 1)));
    dot.setAttribute("cy", T + W * (1 - t.p[state.index] / (t.p[0] || 1)));
    ["x1", "x2"].forEach((key) => $("#explorer-line").setAttribute(key, L + W * f.threshold));
    $("#explorer-note").textContent = point
      ? point.rule[0].toUpperCase() + point.rule.slice(1) + ". Intervals: " + Math.round(100 * (point.sensitivity.level || .95)) + " %, by groups, with the threshold and the prevalence held fixed; tables in which they vary with the groups have wider ones."
      : "Intervals are given at the marked points.";
    const hash = "#explorer?" + new URLSearchParams({ target: t.name, threshold: f.threshold,
      ...(state.prevalence === null ? {} : { prevalence: state.prevalence }) });
    if (state.touched) history.replaceState(null, "", hash);
  };
  const select = $("#explorer-target");
  targets.forEach((target, i) => {
    const option = document.createElement("option");
    option.value = i;
    option.textContent = target.name.length > 60 ? target.name.slice(0, 59) + "…" : target.name;
    select.append(option);
  });
  const start = () => {
    const point = (targets[state.target].points || [])[0];
    state.index = nearest(point ? point.threshold : .5);
  };
  const read = () => {
    const [place, query] = location.hash.slice(1).split("?");
    if (place !== "explorer" || !query) return false;
    const wanted = new URLSearchParams(query);
    const found = targets.findIndex((target) => target.name === wanted.get("target"));
    state.target = found < 0 ? 0 : found;
    start();
    const threshold = parseFloat(wanted.get("threshold")), prevalence = parseFloat(wanted.get("prevalence"));
    if (threshold >= 0 && threshold <= 1) state.index = nearest(threshold);
    state.prevalence = prevalence > 0 && prevalence < 1 ? prevalence : null;
    select.value = state.target;
    return true;
  };
  const touch = (change) => (event) => { state.touched = true; change(event.target); draw(); };
  select.addEventListener("change", touch((e) => { state.target = Number(e.value); start(); drawTarget(); }));
  $("#explorer-threshold").max = grid.length - 1;
  $("#explorer-threshold").addEventListener("input", touch((e) => { state.index = Number(e.value); }));
  $("#explorer-number").addEventListener("change", touch((e) => { state.index = nearest(parseFloat(e.value) || 0); }));
  $("#explorer-prevalence").addEventListener("input", touch((e) => {
    const share = parseFloat(e.value) / 100;
    state.prevalence = share > 0 && share < 1 ? share : null;
  }));
  $("#explorer-own").addEventListener("click", touch(() => { state.prevalence = null; }));
  $("#explorer-marks").addEventListener("click", () => { state.touched = true; draw(); });
  const restore = () => { const found = read(); if (!found) start(); drawTarget(); draw(); if (found) box.scrollIntoView(); };
  addEventListener("hashchange", () => { if (location.hash.startsWith("#explorer?")) restore(); });
  restore();
  return { figures, nearest, targets };
})();
window.ensembleKit = { explore, view };

/* where the reader is */
const links = new Map($$("nav.toc a").map((link) => [link.hash.slice(1), link]));
const watcher = new IntersectionObserver((entries) => entries.forEach((entry) => {
  if (!entry.isIntersecting) return;
  links.forEach((link) => link.removeAttribute("aria-current"));
  links.get(entry.target.id)?.setAttribute("aria-current", "true");
}), { rootMargin: "-10% 0px -80% 0px" });
$$("main > section[id]").forEach((section) => watcher.observe(section));
})();
