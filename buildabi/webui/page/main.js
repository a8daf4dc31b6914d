import { stepStatuses } from "./abi.js";
import { Connection } from "./connection.js";
import { byId, setText } from "./dom.js";
import { Fuzz } from "./fuzz.js";
import { Header } from "./header.js";
import { Log } from "./log.js";
import { describe, Reports } from "./reports.js";
import { StepList } from "./steps.js";
import { setUpTabs } from "./tabs.js";
import { setUpTheme } from "./theme.js";

// What the server has told. Times are those of performance.now; base is the one at which the
// server's clock was at 0.
const build = {
	status: "", steps: [], chosen: -1, base: 0, began: 0, ended: 0, joined: false, tally: {} };
let greeted = false; // since the connection opened

const header = new Header(build);
const log = new Log();
const list = new StepList(choose);
const reports = new Reports(openStep);
const fuzz = new Fuzz();
const connection = new Connection((m) => receive[m.type](m), (text, open) => {
	if (!open) greeted = false;
	header.connection(text, open);
});

const receive = {
	hello(m) {
		const now = performance.now();
		for (const s of stepStatuses) build.tally[s] = 0;
		for (const s of m.steps) build.tally[s.status]++;
		const name = build.steps[build.chosen]?.name;
		const chosen = m.steps.findIndex((s) => s.name === name);
		Object.assign(build, {
			status: m.status, steps: m.steps, chosen, base: now - m.timestamp / 1e6,
			began: m.status === "running" ? now : 0, ended: 0,
			joined: !greeted, // so it began earlier, nobody knows when
		});
		greeted = true;
		list.reset(build.steps, chosen);
		reports.reset(build.steps, m.timeReport);
		fuzz.reset();
		showChosen();
		header.draw();
		tick();
	},
	status({ status }) {
		const was = build.status;
		if (status === "running") {
			Object.assign(build, { began: performance.now(), ended: 0, joined: false });
			for (const [i, s] of build.steps.entries()) {
				if (!s.report) continue;
				s.report.stale = true;
				list.update(i);
			}
			reports.draw();
			showReportOfChosen();
			log.age();
		} else if (was === "running") {
			build.ended = performance.now();
		}
		build.status = status;
		tick();
	},
	step({ step, status }) {
		const s = build.steps[step];
		if (!s) return;
		const ran = s.status === "running"; // and its log is being followed
		build.tally[s.status]--;
		build.tally[status]++;
		s.status = status;
		s.since = status === "running" ? performance.now() : 0;
		list.update(step);
		header.draw();
		if (step === build.chosen && !ran && status !== "pending") log.show(step, status === "running");
	},
	time: showReport,
	compile: showReport,
	tests: showReport,
	index(m) {
		const age = performance.now() - build.base - m.start / 1e6;
		fuzz.setIndex(m, age).catch(() => {}); // the view says that a source is not here
	},
	coverage(m) { fuzz.setCoverage(m); },
	entries({ locations }) { fuzz.setEntries(locations); },
};

function showReport(report) {
	const step = build.steps[report.step];
	if (!step) return;
	step.report = report;
	for (const test of report.tests ?? []) Object.assign(test, { step, report });
	list.update(report.step);
	reports.draw();
	if (step === build.steps[build.chosen]) showReportOfChosen();
}

function showReportOfChosen() {
	const { short, full } = describe(build.steps[build.chosen]?.report);
	byId("total").replaceChildren(...short);
	byId("report").replaceChildren(...full);
}

function choose(step) {
	build.chosen = step;
	showChosen();
}

function openStep({ number }) {
	byId("tab-steps").click();
	list.open(number);
}

function showChosen() {
	const step = build.steps[build.chosen];
	setText(byId("chosen"), step?.name ?? "No step chosen");
	byId("hint").hidden = Boolean(step);
	byId("detail").scrollTop = 0;
	showReportOfChosen();
	log.show(step && build.chosen, step?.status === "running");
}

// tick shows what changes with time, as long as anybody knows.
function tick() {
	if (!header.open) return;
	header.tick();
	list.tick();
	if (!byId("fuzz").hidden) fuzz.draw();
}

setInterval(tick, 1000);
setUpTabs(document.querySelector("[role=tablist]"), () => {
	reports.draw();
	fuzz.draw();
	list.draw();
});
byId("rebuild").onclick = () => connection.rebuild();
document.querySelector("[role=search]").onsubmit = (e) => {
	e.preventDefault();
	list.enter();
};
document.onkeydown = (e) => {
	if (e.key !== "/" || e.target.matches("input, select")) return;
	e.preventDefault();
	byId("tab-steps").click();
	byId("search").focus();
};
setUpTheme(byId("theme")); // last: it throws where nothing may be stored
