import { counts, elapsedTimes, processorTimes } from "./abi.js";
import { byId, duration, element, number, once, stats } from "./dom.js";
import { Table } from "./table.js";

const kinds = { time: "step", compile: "compile", tests: "tests" };

// Reports shows the times of all steps, and of all tests.
export class Reports {
	#steps = [];
	draw = once(() => this.#draw());

	// Open shows a step.
	constructor(open) {
		this.times = new Table("Steps", [
			{ name: "Step", value: (s) => s.name, open },
			{ name: "Kind", value: (s) => kinds[s.report.type] },
			{ name: "Time", value: (s) => s.report.total, text: duration, bar: true },
		]);
		this.tests = new Table("Tests", [
			{ name: "Test", value: (t) => t.name },
			{ name: "Step", value: (t) => t.step.name, open: (t) => open(t.step) },
			{ name: "Time", value: (t) => t.time, text: duration, bar: true },
		]);
		byId("times").append(this.times.root);
		byId("tests").append(this.tests.root);
	}

	// reset begins with other steps; wanted says whether they report times.
	reset(steps, wanted) {
		this.#steps = steps;
		this.times.none = wanted ? "No step has reported its time yet." : "This build reports no times.";
		this.tests.none = wanted ? "No step has reported its tests yet." : "This build reports no tests.";
		this.draw();
	}

	// Only the view that is seen is drawn: a report must not cost more than its row.
	#draw() {
		const reported = this.#steps.filter((s) => s.report);
		if (!byId("times").hidden) this.times.set(reported);
		if (!byId("tests").hidden) this.tests.set(reported.flatMap((s) => s.report.tests ?? []));
	}
}

// Returns what there is to say of one report, in short and in full.
export function describe(report) {
	if (!report) return { short: [], full: [] };
	const total = stats([[report.stale ? "Total, earlier build" : "Total", duration(report.total)]]);
	total.classList.toggle("stale", Boolean(report.stale));
	const full = { compile: compiled, tests: tested }[report.type]?.(report) ?? [];
	return { short: [total], full };
}

function tested(report) {
	const table = new Table("Tests", [
		{ name: "Test", value: (t) => t.name },
		{ name: "Time", value: (t) => t.time, text: duration, bar: true },
	]);
	table.set(report.tests);
	return [table.root];
}

function compiled(report) {
	const name = (name, value) => ({ name, value });
	const time = (name, part) => ({ name, value: (d) => d[part], text: duration, bar: true });
	const parts = [time("Analysis", "analysis"), time("Code", "code"), time("Link", "link"),
		time("Total", "total")];
	const files = new Table("Files", [name("File", (f) => f.name), ...parts]);
	const decls = new Table("Declarations", [
		name("Declaration", (d) => d.name), name("File", (d) => d.file),
		{ name: "Count", value: (d) => d.count, text: number, number: true }, ...parts]);
	for (const d of report.decls) d.total = d.analysis + d.code + d.link;
	files.set(byFile(report));
	decls.set(report.decls);
	return [...figures(report), ...[files, decls].map((t) => element("div", { className: "scroll" }, t.root)),
		...passes(report.passes)];
}

function figures({ llvm, counts: counted, times }) {
	const timed = (names, from) => names.map((name, i) => [name, duration(times[from + i])]);
	const head = (textContent) => element("h3", { textContent });
	return [
		stats([["LLVM", llvm ? "used" : "not used"],
			...counts.map((name, i) => [name, number(counted[i])])]),
		head("Processor time"), stats(timed(processorTimes, 0)),
		head("Elapsed time"), stats(timed(elapsedTimes, processorTimes.length)),
	];
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
	if (!text) return [];
	return [element("details", {}, element("summary", { textContent: "LLVM passes" }),
		element("pre", { textContent: text }))];
}
