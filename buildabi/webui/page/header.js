import { stepStatuses } from "./abi.js";
import { byId, clock, duration, number, once, setAttribute, setText } from "./dom.js";

const texts = {
	idle: "Idle", watching: "Watching for changes", running: "Building",
	"fuzzing starts": "Preparing to fuzz",
};
const failedTexts = { ...texts, idle: "Failed", watching: "Failed, watching for changes" };

// Header says what a build does and for how long, how many of its steps are where, and whether the
// server is there.
export class Header {
	open = false; // the connection is
	draw = once(() => this.#draw());

	// Build is what is known of it: its status, when it began and ended in times of performance.now,
	// whether it was joined later than it began, and the tally of its steps by status.
	constructor(build) { this.build = build; }

	// connection says what state that is in.
	connection(text, open) {
		this.open = open;
		setText(byId("connection"), text);
		byId("connection").toggleAttribute("data-open", open);
		this.#drawRebuild();
	}

	// tick shows what the status and the time change.
	tick() {
		const { began, ended, joined } = this.build;
		const ns = 1e6 * ((ended || performance.now()) - began);
		const text = ended ? duration(Math.round(ns)) : clock(ns);
		setText(byId("elapsed"), began ? `${joined ? "over " : ""}${text}` : "");
		this.#drawStatus();
		this.#drawRebuild();
	}

	#draw() {
		const { tally } = this.build;
		const parts = stepStatuses.filter((s) => tally[s]).map((s) => `${number(tally[s])} ${s}`);
		setText(byId("summary"), parts.reverse().join(", "));
		this.#drawStatus(); // at the end of a build the steps come after the status
	}

	#drawStatus() {
		const { status, tally: { failed } } = this.build;
		if (!status) return;
		const over = status !== "running";
		const text = (failed ? failedTexts : texts)[status];
		setText(byId("status"), text);
		setAttribute(byId("status"), "data-failed", over && failed > 0);
		const title = `${over && failed ? `${number(failed)} failed` : text} – Build`;
		if (document.title !== title) document.title = title;
	}

	#drawRebuild() {
		byId("rebuild").disabled = !this.open || !["idle", "watching"].includes(this.build.status);
	}
}
