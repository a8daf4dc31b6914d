import { arrange, byId, clock, duration, element, once, setAttribute, setText } from "./dom.js";

const most = 200; // rows at a time, however tall the window is
const spare = 10; // rows above and below what is seen

// StepList shows those of a build's steps that pass the search and the filter, and keeps rows
// only for the part that is on the screen.
export class StepList {
	#steps = [];
	#shown = []; // numbers of the steps that pass, in order
	#rows = new Map(); // number of the step to its row
	#chosen = -1;
	#stale = true; // the selection of steps is to be made again
	#list = byId("list");
	#viewport = byId("viewport");
	#changed = new Set();
	draw = once(() => this.#draw());

	constructor(choose) {
		this.choose = choose;
		this.#viewport.onscroll = this.draw;
		new ResizeObserver(this.draw).observe(this.#viewport);
		byId("search").oninput = byId("filter").onchange = () => this.#select();
		this.#list.onclick = (e) => this.#choose(this.#numberOf(e.target.closest("li")));
		this.#list.onkeydown = (e) => this.#key(e);
	}

	reset(steps, chosen) {
		this.#steps = steps;
		this.#chosen = chosen;
		this.#list.removeAttribute("aria-activedescendant");
		this.#list.replaceChildren();
		this.#rows.clear();
		this.#select();
	}

	// update says that a step has changed.
	update(number) {
		this.#stale ||= byId("filter").value !== "";
		this.#changed.add(number);
		this.draw();
	}

	// tick shows the time of the steps that run.
	tick() {
		for (const [number, row] of this.#rows) {
			if (this.#steps[number].status === "running") this.#fill(row, this.#steps[number]);
		}
	}

	// enter leads from the search to what it has found.
	enter() {
		this.#filter();
		if (this.#shown.length > 0 && !this.#shown.includes(this.#chosen)) this.#go(0);
		this.#list.focus();
	}

	// open chooses a step, also one that is not being searched for.
	open(number) {
		this.#filter();
		if (!this.#shown.includes(number)) {
			byId("search").value = byId("filter").value = "";
			this.#filter();
		}
		this.#draw(); // the list must be as long as it will be
		this.#go(this.#shown.indexOf(number));
		this.#list.focus();
	}

	#select() {
		this.#stale = true;
		this.draw();
	}

	#filter() {
		const text = byId("search").value.toLowerCase();
		const status = byId("filter").value;
		this.#shown = [];
		this.#steps.forEach((step, i) => {
			const passes = (!status || step.status === status) &&
				(!text || step.name.toLowerCase().includes(text));
			if (passes) this.#shown.push(i);
		});
		this.#stale = false;
		setText(byId("none"), this.#shown.length > 0 ? ""
			: this.#steps.length > 0 ? "No step is like that." : "There are no steps yet.");
	}

	#draw() {
		if (this.#stale) this.#filter();
		const height = rowHeight();
		const first = Math.max(0, Math.floor(this.#viewport.scrollTop / height) - spare);
		const seen = Math.ceil(this.#viewport.clientHeight / height) + 2 * spare;
		const numbers = this.#shown.slice(first, first + Math.min(seen, most));
		setPadding(this.#list, "paddingTop", first * height);
		setPadding(this.#list, "paddingBottom", (this.#shown.length - first - numbers.length) * height);
		this.#rows = new Map(numbers.map((n) => [n, this.#rows.get(n) ?? this.#row(n)]));
		arrange(this.#list, [...this.#rows.values()]);
		numbers.forEach((number, i) => {
			const row = this.#rows.get(number);
			setAttribute(row, "aria-posinset", first + i + 1);
			setAttribute(row, "aria-setsize", this.#shown.length);
			if (this.#changed.has(number)) this.#fill(row, this.#steps[number]);
		});
		this.#changed.clear();
	}

	#row(number) {
		const step = this.#steps[number];
		const row = element("li", { id: `step-${number}`, role: "option", title: step.name },
			element("span", { className: "name", textContent: step.name }),
			element("span", { className: "state" }));
		setAttribute(row, "aria-selected", number === this.#chosen);
		this.#fill(row, step);
		return row;
	}

	#fill(row, step) {
		setAttribute(row, "data-status", step.status);
		setText(row.lastChild, state(step));
	}

	#numberOf(row) { return row ? Number(row.id.slice("step-".length)) : -1; }

	#choose(number) {
		if (number < 0 || number === this.#chosen) return;
		this.#rows.get(this.#chosen)?.setAttribute("aria-selected", "false");
		this.#chosen = number;
		this.#rows.get(number)?.setAttribute("aria-selected", "true");
		this.#list.setAttribute("aria-activedescendant", `step-${number}`);
		this.choose(number);
	}

	#key(e) {
		const last = this.#shown.length - 1;
		const page = Math.floor(this.#viewport.clientHeight / rowHeight());
		const at = this.#shown.indexOf(this.#chosen);
		const to = {
			ArrowDown: at + 1, ArrowUp: Math.max(0, at - 1), Home: 0, End: last,
			PageDown: at + page, PageUp: Math.max(0, at - page),
		}[e.key];
		if (to === undefined || last < 0) return;
		e.preventDefault();
		this.#go(Math.min(to, last));
	}

	// #go chooses the step at a position, and scrolls to its row, which may not exist yet.
	#go(position) {
		const height = rowHeight();
		const top = position * height;
		const view = this.#viewport;
		if (top < view.scrollTop) view.scrollTop = top;
		const below = top + height - view.clientHeight;
		if (below > view.scrollTop) view.scrollTop = below;
		this.#draw();
		this.#choose(this.#shown[position]);
	}
}

// What a row says of its step besides the name.
function state(step) {
	if (step.status === "running" && step.since) {
		const ns = 1e6 * (performance.now() - step.since);
		return ns >= 1e9 ? `running ${clock(ns)}` : "running";
	}
	if (!step.report) return step.status;
	const was = step.report.stale ? "was " : "";
	return `${step.status}, ${was}${duration(step.report.total)}`;
}

const rowHeight = () => 2 * parseFloat(getComputedStyle(document.documentElement).fontSize);

function setPadding(e, side, pixels) {
	if (e.style[side] !== `${pixels}px`) e.style[side] = `${pixels}px`;
}
