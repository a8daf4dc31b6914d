import { counts, times } from "./abi.js";
import { byId, duration, element, number, once, stats } from "./dom.js";
import { Table } from "./table.js";

const kinds = { time: "step", compile: "compile", tests: "tests" };

// Reports shows the times of all steps, and of all tests.
export class Reports {
	#steps = [];
	#times = new Table("Steps", [
		{ name: "Step", value: (r) => r.name },
		{ name: "Kind", value: (r) => r.kind },
		{ name: "Time", value: (r) => r.total, text: duration, bar: true },
	]);
	#tests = new Table("Tests", [
		{ name: "Test", value: (r) => r.name },
		{ name: "Step", value: (r) => r.step },
		{ name: "Time", value: (r) => r.time, text: duration, bar: true },
	]);
	draw = once(() => this.#draw());

	constructor() {
		byId("times").append(this.#times.root);
		byId("tests").append(this.#tests.root);
	}

	reset(steps) {
		this.#steps = steps;
		this.draw();
	}

	// Only the view that is seen is drawn: a report must not cost more than its row.
	#draw() {
		const reported = this.#steps.filter((s) => s.report);
		if (!byId("times").hidden) {
			this.#times.set(reported.map(({ name, report }) => (
				{ name, kind: kinds[report.type], total: report.total, stale: report.stale })));
		}
		if (!byId("tests").hidden) {
			this.#tests.set(reported.filter((s) => s.report.tests).flatMap(({ name, report }) =>
				report.tests.map((t) => ({ ...t, step: name, stale: report.stale }))));
		}
	}
}

// Returns what there is to say of one report.
export function describe(report) {
	if (!report) return [];
	const head = element("dl", { className: "stats" }, 
		...stats([[report.stale ? "total, earlier build" : "total", duration(report.total)]]));
	if (report.stale) head.classList.add("stale");
	switch (report.type) {
	case "compile": return [head, ...compiled(report)];
	case "tests": return [head, tested(report)];
	default: return [head];
	}
}

function tested(report) {
	const table = new Table("Tests", [
		{ name: "Test", value: (t) => t.name },
		{ name: "Time", value: (t) => t.time, text: duration, bar: true },
	]);
	table.set(report.tests);
	return table.root;
}

function compiled(report) {
	const figures = [
		["LLVM", report.llvm ? "used" : "not used"],
		...counts.map((name, i) => [name, number(report.counts[i])]),
		...times.map((name, i) => [name, duration(report.times[i])]),
	];
	const time = (name) => (
		{ name, value: (d) => d[name.toLowerCase()], text: duration, bar: true });
	const parts = [time("Analysis"), time("Code"), time("Link"), time("Total")];
	const files = new Table("Files", [{ name: "File", value: (f) => f.name }, ...parts]);
	const decls = new Table("Declarations", [
		{ name: "Declaration", value: (d) => d.name }, { name: "File", value: (d) => d.file },
		{ name: "Count", value: (d) => d.count, text: number, bar: true }, ...parts]);
	for (const d of report.decls) d.total = d.analysis + d.code + d.link;
	files.set(byFile(report));
	decls.set(report.decls);
	const nodes = [element("dl", { className: "stats" }, ...stats(figures)), files.root, decls.root];
	if (report.passes) nodes.push(passes(report.passes));
	return nodes;
}

// The declarations' times, added up for each file.
function byFile(report) {
	const files = new Map(report.files.map((name) => (
		[name, { name, analysis: 0, code: 0, link: 0, total: 0 }])));
	for (const d of report.decls) {
		const file = files.get(d.file);
		if (!file) continue;
		for (const part of ["analysis", "code", "link", "total"]) file[part] += d[part];
	}
	return [...files.values()];
}

function passes(text) {
	return element("details", {}, element("summary", { textContent: "LLVM passes" }),
		element("pre", { textContent: text }));
}
