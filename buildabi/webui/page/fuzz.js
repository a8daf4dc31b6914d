import { byId, clock, element, number, once, setAttribute, setText } from "./dom.js";
import { highlight } from "./highlight.js";
import { untar } from "./tar.js";

const unknown = 0xffffffff;
const samples = 600; // of the chart

// Fuzz shows what the fuzzer has reached, in figures, over time and over the source.
export class Fuzz {
	#index = null;
	#coverage = null;
	#entries = [];
	#sources = new Map();
	#lines = new Map(); // of the open file: number of the line to its row and its locations
	#start = 0; // of the session
	#history = []; // of [ms since then, covered]
	draw = once(() => this.#draw());

	constructor() {
		byId("file").onchange = () => this.#openFile();
	}

	reset() {
		this.#index = this.#coverage = null;
		this.#entries = [];
		this.draw();
	}

	// setIndex begins a session. Age is how long ago that began, in ms.
	async setIndex(index, age) {
		this.#index = index;
		this.#coverage = null;
		this.#entries = [];
		this.#history = [];
		this.#sources = new Map();
		this.#start = performance.now() - age;
		byId("file").replaceChildren(...index.files.map((name) => new Option(name)));
		this.#openFile();
		this.draw();
		const response = await fetch("sources.tar");
		if (!response.ok || index !== this.#index) return;
		this.#sources = untar(await response.arrayBuffer());
		this.#openFile();
	}

	setCoverage(coverage) {
		this.#coverage = coverage;
		this.#history.push([this.#age(), count(coverage.bits)]);
		if (this.#history.length > samples) this.#history = this.#history.filter((_, i) => i % 2 === 0);
		this.draw();
	}

	setEntries(locations) {
		this.#entries = locations;
		this.draw();
		byId("entries").replaceChildren(...locations.map((i) => this.#entry(i)));
	}

	#entry(i) {
		const { file, line } = this.#index?.locations[i] ?? {};
		const name = this.#index?.files[file] ?? "unknown";
		const text = `${name.slice(name.lastIndexOf("/") + 1)}:${line}`;
		const button = element("button", { type: "button", title: name, textContent: text });
		button.onclick = () => {
			byId("file").value = name;
			this.#openFile();
			this.#lines.get(line)?.row?.scrollIntoView({ block: "center" });
		};
		return element("li", {}, button);
	}

	// Of the session, in ms; clocks differ a little.
	#age() {
		return Math.max(1, performance.now() - this.#start);
	}

	#draw() {
		byId("fuzz-none").hidden = this.#index !== null;
		byId("fuzz-live").hidden = this.#index === null;
		if (!this.#index || byId("fuzz").hidden) return;
		this.#drawCounters();
		this.#drawChart();
		for (const line of this.#lines.values()) this.#mark(line);
	}

	#drawCounters() {
		const { runs = 0, uniqueRuns = 0, bits = [] } = this.#coverage ?? {};
		const all = this.#index.locations.length;
		const ms = this.#age();
		const covered = count(bits);
		const share = all ? ` (${(100 * covered / all).toFixed(1)} %)` : "";
		const rate = Math.max(0, runs - this.#index.startRuns) / ms * 1e3;
		setText(byId("runs"), number(runs));
		setText(byId("rate"), number(Math.round(rate)));
		setText(byId("unique"), number(uniqueRuns));
		setText(byId("covered"), `${number(covered)} of ${number(all)}${share}`);
		setText(byId("fuzzed"), clock(1e6 * ms));
	}

	// The chart goes up to what is covered now: nothing is ever uncovered, and of all locations it
	// may be little.
	#drawChart() {
		const chart = byId("chart");
		const [area, line] = chart.children;
		const covered = this.#history.at(-1)?.[1] ?? 0;
		const end = this.#age();
		const start = this.#history[0]?.[0] ?? end;
		const x = (t) => (600 * (t - start) / Math.max(1, end - start)).toFixed(1);
		const points = [...this.#history, [end, covered]]
			.map(([t, n]) => `${x(t)},${(98 - 96 * n / Math.max(1, covered)).toFixed(1)}`).join(" ");
		setAttribute(line, "points", points);
		setAttribute(area, "points", `0,100 ${points} 600,100`);
		setText(byId("most"), number(covered));
		setText(byId("begin"), clock(1e6 * start));
		setText(byId("end"), clock(1e6 * end));
		setAttribute(chart, "aria-label", this.#history.length === 0 ? "No coverage yet"
			: `Coverage over time: ${covered} of ${this.#index.locations.length} after ${clock(1e6 * end)}`);
	}

	// Makes the rows of the chosen file.
	#openFile() {
		const name = byId("file").value;
		const text = this.#sources.get(name);
		this.#lines = new Map();
		if (text === undefined) {
			byId("source").replaceChildren(element("li", { textContent: "This server does not have the source." }));
			return;
		}
		const file = this.#index.files.indexOf(name);
		this.#index.locations.forEach((l, i) => {
			if (l.file !== file || l.file === unknown) return;
			if (!this.#lines.has(l.line)) this.#lines.set(l.line, { locations: [] });
			this.#lines.get(l.line).locations.push(i);
		});
		byId("source").replaceChildren(...text.split("\n").map((line, i) => this.#line(line, i + 1)));
		for (const line of this.#lines.values()) this.#mark(line);
	}

	#line(text, n) {
		const count = element("span", { className: "count" });
		const row = element("li", {}, count, ...highlight(text));
		const line = this.#lines.get(n);
		if (line) Object.assign(line, { row, count });
		return row;
	}

	#mark({ row, count, locations }) {
		if (!row) return; // a line that the source does not have
		const hit = locations.filter((i) => isSet(this.#coverage?.bits, i)).length;
		const entry = locations.some((i) => this.#entries.includes(i)) ? " entry" : "";
		const name = (hit === 0 ? "miss" : hit < locations.length ? "part" : "hit") + entry;
		const text = `${hit}/${locations.length}`;
		if (row.className !== name) row.className = name;
		if (count.textContent !== text) count.textContent = text;
	}
}

const isSet = (bits, i) => Boolean(bits && bits[i >> 3] >> (i & 7) & 1);

function count(bits) {
	let n = 0;
	for (let byte of bits) for (; byte; byte &= byte - 1) n++;
	return n;
}
