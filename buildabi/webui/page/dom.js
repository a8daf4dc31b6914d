// Small things that every view needs.

export const byId = (id) => document.getElementById(id);

// Makes an element with properties and content.
export function element(name, properties = {}, ...content) {
	const e = Object.assign(document.createElement(name), properties);
	e.append(...content);
	return e;
}

// Wraps a function so that any number of calls before the next frame are one.
export function once(draw) {
	let waiting = false;
	return () => {
		if (waiting) return;
		waiting = true;
		requestAnimationFrame(() => {
			waiting = false;
			draw();
		});
	};
}

// Changes text only where it differs, so that nobody is told of no change.
export function setText(e, text) {
	if (!e.firstChild) e.append("");
	if (e.firstChild.data !== text) e.firstChild.data = text;
}

export const number = (n) => n.toLocaleString("en");

// A duration in nanoseconds, for people.
export function duration(ns) {
	if (ns === null) return "not run";
	if (ns === 0) return "0 s";
	if (ns < 1e3) return `${ns} ns`;
	if (ns < 1e6) return `${(ns / 1e3).toPrecision(3)} µs`;
	if (ns < 1e9) return `${(ns / 1e6).toPrecision(3)} ms`;
	if (ns < 60e9) return `${(ns / 1e9).toFixed(1)} s`;
	const seconds = Math.floor(ns / 1e9);
	return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

// A list of names and values.
export function stats(entries) {
	return entries.map(([name, value]) => element("div", {},
		element("dt", { textContent: name }), element("dd", { textContent: value })));
}
