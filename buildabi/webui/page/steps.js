import { byId, duration, element, once, setText } from "./dom.js";

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
	}

	#draw() {
		if (this.#stale) this.#filter();
		const height = 2 * parseFloat(getComputedStyle(document.documentElement).fontSize);
		const first = Math.max(0, Math.floor(this.#viewport.scrollTop / height) - spare);
		const seen = Math.ceil(this.#viewport.clientHeight / height) + 2 * spare;
		const numbers = this.#shown.slice(first, first + Math.min(seen, most));
		setPadding(this.#list, "paddingTop", first * height);
		setPadding(this.#list, "paddingBottom", (this.#shown.length - first - numbers.length) * height);
		this.#drop(new Set(numbers));
		let next = this.#list.firstChild;
		numbers.forEach((number, i) => {
			const row = this.#row(number);
			if (row === next) next = next.nextSibling;
			else this.#list.insertBefore(row, next);
			setAttribute(row, "aria-posinset", first + i + 1);
			setAttribute(row, "aria-setsize", this.#shown.length);
		});
		for (const number of this.#changed) {
			const row = this.#rows.get(number);
			if (row) this.#fill(row, this.#steps[number]);
		}
		this.#changed.clear();
	}

	#drop(wanted) {
		for (const [number, row] of this.#rows) {
			if (wanted.has(number)) continue;
			row.remove();
			this.#rows.delete(number);
		}
	}

	#row(number) {
		let row = this.#rows.get(number);
		if (row) return row;
		const step = this.#steps[number];
		row = element("li", { id: `step-${number}`, role: "option", title: step.name },
			element("span", { className: "name", textContent: step.name }),
			element("span", { className: "state" }));
		setAttribute(row, "aria-selected", number === this.#chosen);
		this.#fill(row, step);
		this.#rows.set(number, row);
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
		const page = Math.floor(this.#viewport.clientHeight / 32);
		const at = this.#shown.indexOf(this.#chosen);
		const to = {
			ArrowDown: at + 1, ArrowUp: Math.max(0, at - 1), Home: 0, End: last,
			PageDown: at + page, PageUp: Math.max(0, at - page),
		}[e.key];
		if (to === undefined || last < 0) return;
		e.preventDefault();
		const position = Math.min(to, last);
		this.#reveal(position);
		this.#choose(this.#shown[position]);
	}

	// #reveal scrolls to a row, which may not exist yet.
	#reveal(position) {
		const height = 2 * parseFloat(getComputedStyle(document.documentElement).fontSize);
		const top = position * height;
		const view = this.#viewport;
		if (top < view.scrollTop) view.scrollTop = top;
		const below = top + height - view.clientHeight;
		if (below > view.scrollTop) view.scrollTop = below;
		this.#draw();
	}
}

// What a row says of its step besides the name.
export function state(step) {
	if (step.status === "running" && step.since) {
		const ms = Math.floor((performance.now() - step.since) / 1000) * 1000;
		return ms > 0 ? `running ${duration(ms * 1e6)}` : "running";
	}
	if (!step.report) return step.status;
	const was = step.report.stale ? "was " : "";
	return `${step.status}, ${was}${duration(step.report.total)}`;
}

function setAttribute(e, name, value) {
	if (e.getAttribute(name) !== String(value)) e.setAttribute(name, value);
}

function setPadding(e, side, pixels) {
	if (e.style[side] !== `${pixels}px`) e.style[side] = `${pixels}px`;
}
