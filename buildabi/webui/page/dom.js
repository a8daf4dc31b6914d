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

// Changes an attribute only where it differs.
export function setAttribute(e, name, value) {
	if (e.getAttribute(name) !== String(value)) e.setAttribute(name, value);
}

// Makes elements all the children of another, in their order, and moves only those that must be.
export function arrange(parent, children) {
	const wanted = new Set(children);
	for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
	let next = parent.firstChild;
	for (const child of children) {
		if (child === next) next = next.nextSibling;
		else parent.insertBefore(child, next);
	}
}

export const number = (n) => n.toLocaleString("en");

const units = [["ns", 1], ["µs", 1e3], ["ms", 1e6], ["s", 1e9]];

// A duration in nanoseconds, for people: three digits, and whole seconds from a minute on.
export function duration(ns) {
	if (ns === null) return "not run";
	if (ns === 0) return "0 s";
	if (ns >= 59.95e9) return clock(ns + 5e8);
	const [unit, size] = units.find(([, size]) => ns < 999.5 * size);
	return `${size === 1 ? ns : (ns / size).toPrecision(3)} ${unit}`;
}

// The whole seconds of a time that goes on.
export function clock(ns) {
	const s = Math.max(0, Math.floor(ns / 1e9)); // clocks differ a little
	const minutes = Math.floor(s / 60);
	if (s < 60) return `${s} s`;
	if (minutes < 60) return `${minutes} min ${s % 60} s`;
	return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// A list of names and values.
export function stats(entries) {
	return element("dl", { className: "stats" }, ...entries.map(([name, value]) => element("div", {},
		element("dt", { textContent: name }), element("dd", { textContent: value }))));
}
