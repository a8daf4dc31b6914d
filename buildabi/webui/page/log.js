import { byId } from "./dom.js";

const most = 1 << 20; // characters that are kept; of a longer log the end is seen

// Log shows what one step prints, while it does.
export class Log {
	#stop = new AbortController();
	#text = byId("log");

	// show follows the log of a step instead of the one before; without a number, of none.
	async show(step) {
		this.#stop.abort();
		const { signal } = this.#stop = new AbortController();
		this.#text.textContent = "";
		byId("printed").hidden = step === undefined;
		if (step === undefined) return;
		try {
			const response = await fetch(`steps/${step}/log`, { signal });
			if (response.status === 404) this.#text.textContent = "This step has no log.";
			else await this.#follow(response.body.pipeThrough(new TextDecoderStream()), signal);
		} catch (e) {
			if (!signal.aborted) this.#add(`\n(the log ends here: ${e.message})`);
		}
	}

	async #follow(stream, signal) {
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
		const pane = byId("detail");
		const atEnd = pane.scrollTop + pane.clientHeight > pane.scrollHeight - 40;
		this.#text.append(text);
		this.#text.normalize();
		const node = this.#text.firstChild;
		if (node.length > most) node.deleteData(0, node.length - most);
		if (atEnd) pane.scrollTop = pane.scrollHeight;
	}
}
