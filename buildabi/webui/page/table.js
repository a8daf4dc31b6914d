import { element, number } from "./dom.js";

const most = 200; // rows; the others are reached by sorting

// Table is a table that a click on a column's head sorts. A column has a name, a function that
// gives a row's value, and if wanted one that gives its text; columns with bar are numbers that
// are drawn as bars as well.
export class Table {
	#rows = [];
	#by;
	#down = true;

	constructor(title, columns) {
		this.title = title;
		this.columns = columns;
		this.#by = columns.findLast((c) => c.bar) ?? columns[0];
		this.caption = element("caption");
		this.body = element("tbody");
		this.heads = columns.map((c) => this.#head(c));
		this.root = element("div", { className: "scroll" }, element("table", {}, this.caption,
			element("thead", {}, element("tr", {}, ...this.heads)), this.body));
		this.set([]);
	}

	set(rows) {
		this.#rows = rows;
		this.#draw();
	}

	#head(column) {
		const button = element("button", { type: "button", textContent: column.name });
		button.onclick = () => {
			this.#down = this.#by === column ? !this.#down : Boolean(column.bar);
			this.#by = column;
			this.#draw();
		};
		const head = element("th", { scope: "col", className: column.bar ? "number" : "" }, button);
		return head;
	}

	#draw() {
		const { value } = this.#by;
		const sign = this.#down ? -1 : 1;
		const sorted = [...this.#rows].sort((a, b) => sign * compare(value(a), value(b)));
		const n = Math.min(most, sorted.length);
		this.caption.textContent = n < sorted.length
			? `${this.title}: ${number(n)} of ${number(sorted.length)}`
			: `${this.title}: ${number(n)}`;
		this.columns.forEach((column, i) => this.heads[i].setAttribute("aria-sort",
			column !== this.#by ? "none" : this.#down ? "descending" : "ascending"));
		const top = new Map(this.columns.map((c) => [c, c.bar ? greatest(this.#rows, c.value) : 0]));
		this.body.replaceChildren(...sorted.slice(0, n).map((row) => element("tr", {
			className: row.stale ? "stale" : "" }, ...this.columns.map((c) => cell(c, row, top.get(c))))));
	}
}

function cell(column, row, top) {
	const value = column.value(row);
	const td = element("td", { textContent: column.text ? column.text(value) : value });
	if (column.bar) {
		td.className = "number bar";
		td.style.setProperty("--part", top > 0 ? (value ?? 0) / top : 0);
	}
	return td;
}

const greatest = (rows, value) => rows.reduce((most, row) => Math.max(most, value(row) ?? 0), 0);

function compare(a, b) {
	if (typeof a === "string") return a.localeCompare(b);
	return (a ?? -1) - (b ?? -1);
}
