import { byId, setText } from "./dom.js";

const most = 1 << 20; // characters that are kept; of a longer log the end is seen

// What a terminal takes for colours and the like, and the beginning of one.
const controls = /\x1b\[[\d;?]*[@-~]/g;
const begun = /\x1b(\[[\d;?]*)?$/;

// Log shows what one step prints, while it does.
export class Log {
	#stop = new AbortController();
	#text = byId("log");
	#begun = ""; // a control of which the rest will come
	#follow = false; // the end is what matters

	// show shows the log of a step instead of the one before; without a number, of none. That of a
	// step that runs is seen at its end, unless the user scrolls away from it.
	async show(step, runs) {
		this.#stop.abort();
		const { signal } = this.#stop = new AbortController();
		this.#text.textContent = this.#begun = "";
		this.#follow = runs;
		setText(byId("age"), "Log");
		byId("printed").hidden = step === undefined;
		if (step === undefined) return;
		try {
			const response = await fetch(`steps/${step}/log`, { signal });
			if (response.status === 404) this.#text.textContent = "This step has no log.";
			else await this.#read(response.body.pipeThrough(new TextDecoderStream()), signal);
		} catch (e) {
			if (!signal.aborted) this.#add(`\n(the log ends here: ${e.message})`);
		}
	}

	// age says that another build has begun: until the step does, there is no other log.
	age() { setText(byId("age"), "Log, earlier build"); }

	async #read(stream, signal) {
		const reader = stream.getReader();
		for (;;) {
			const { done, value } = await reader.read();
			if (signal.aborted) return;
			if (done) break;
			this.#add(value);
		}
		if (!this.#text.textContent) this.#text.textContent = "Nothing printed.";
	}

	#add(text) {
		const pane = this.#text;
		const atEnd = pane.scrollTop + pane.clientHeight > pane.scrollHeight - 40;
		text = this.#begun + text;
		this.#begun = text.match(begun)?.[0] ?? "";
		pane.append(text.slice(0, text.length - this.#begun.length).replace(controls, ""));
		pane.normalize();
		const node = pane.firstChild;
		if (node?.length > most) node.deleteData(0, node.length - most);
		if (atEnd && this.#follow) pane.scrollTop = pane.scrollHeight;
	}
}
