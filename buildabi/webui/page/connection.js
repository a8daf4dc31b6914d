import { decode, rebuild } from "./abi.js";

const longestPause = 5000;

// Connection keeps one WebSocket to the page's own address open, and opens it again when it ends.
export class Connection {
	#socket;
	#pause = 250;

	// receive gets the decoded messages; show gets what state the connection is in, as text, and
	// whether it is open.
	constructor(receive, show) {
		this.receive = receive;
		this.show = show;
		this.#open();
	}

	rebuild() { this.#socket.send(rebuild); }

	#open() {
		const url = new URL(".", location);
		url.protocol = url.protocol.replace("http", "ws");
		this.#socket = new WebSocket(url);
		this.#socket.binaryType = "arraybuffer";
		this.#socket.onopen = () => {
			this.#pause = 250;
			this.show("Connected", true);
		};
		this.#socket.onmessage = ({ data }) => this.#message(data);
		this.#socket.onclose = () => {
			this.show("Reconnecting", false);
			setTimeout(() => this.#open(), this.#pause);
			this.#pause = Math.min(2 * this.#pause, longestPause);
		};
	}

	#message(data) {
		let message;
		try {
			message = decode(data);
		} catch (e) {
			this.show(`Not understood: ${e.message}`, true);
			return;
		}
		this.receive(message);
	}
}
