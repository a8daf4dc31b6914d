import { arrange, element, number, setAttribute, setText } from "./dom.js";

const most = 200; // rows; the others are reached by sorting

// Table is a table that a click on a column's head sorts. A column has a name and a function that
// gives a row's value. It may have text, which says the value for people; number, for values that
// are sorted from the greatest down; bar, for numbers that are drawn as well; and open, for names
// that can be clicked. Rows are objects; a row that stays the same object keeps its place on the
// page.
export class Table {
	#rows = new Map(); // those on the page: row to its element
	#all = [];
	#by;
	#down = true;

	constructor(title, columns) {
		this.title = title;
		this.none = `${title}: 0`; // said instead of a table
		this.columns = columns;
		this.#by = columns.findLast((c) => c.bar);
		this.caption = element("caption");
		this.body = element("tbody");
		this.heads = columns.map((c) => this.#head(c));
		this.root = element("table", {}, this.caption,
			element("thead", {}, element("tr", {}, ...this.heads)), this.body);
		this.set([]);
	}

	set(rows) {
		this.#all = rows;
		this.#draw();
	}

	#head(column) {
		const button = element("button", { type: "button", textContent: column.name });
		button.onclick = () => {
			this.#down = this.#by === column ? !this.#down : isNumber(column);
			this.#by = column;
			this.#draw();
		};
		return element("th", { scope: "col", className: isNumber(column) ? "number" : "" }, button);
	}

	#draw() {
		const { value } = this.#by;
		const sign = this.#down ? -1 : 1;
		const sorted = [...this.#all].sort((a, b) => sign * compare(value(a), value(b)));
		const rows = sorted.slice(0, most);
		setText(this.caption, this.#caption(rows.length, sorted.length));
		setAttribute(this.root, "data-empty", rows.length === 0);
		this.columns.forEach((column, i) => setAttribute(this.heads[i], "aria-sort",
			column !== this.#by ? "none" : this.#down ? "descending" : "ascending"));
		const tops = this.columns.map((c) => c.bar ? greatest(sorted, c.value) : 0);
		this.#rows = new Map(rows.map((row) => [row, this.#rows.get(row) ?? this.#make()]));
		for (const [row, e] of this.#rows) this.#fill(row, e, tops);
		arrange(this.body, [...this.#rows.values()]);
	}

	#caption(seen, all) {
		if (all === 0) return this.none;
		return `${this.title}: ${seen < all ? `the first ${number(seen)} of ` : ""}${number(all)}`;
	}

	#make() {
		return element("tr", {}, ...this.columns.map((column) => {
			const className = (isNumber(column) ? "number" : "") + (column.bar ? " bar" : "");
			return element("td", { className }, column.open ? element("button", { type: "button" }) : "");
		}));
	}

	#fill(row, e, tops) {
		e.classList.toggle("stale", Boolean(row.report?.stale));
		this.columns.forEach((column, i) => {
			const value = column.value(row);
			const cell = e.cells[i];
			const text = column.text ? column.text(value) : String(value);
			setText(cell.firstElementChild ?? cell, text);
			if (column.open) cell.firstElementChild.onclick = () => column.open(row);
			if (column.bar) setPart(cell, tops[i] > 0 ? (value ?? 0) / tops[i] : 0);
		});
	}
}

const isNumber = (column) => Boolean(column.number || column.bar);

const greatest = (rows, value) => rows.reduce((most, row) => Math.max(most, value(row) ?? 0), 0);

function setPart(cell, part) {
	if (cell.style.getPropertyValue("--part") !== String(part)) cell.style.setProperty("--part", part);
}

function compare(a, b) {
	if (typeof a === "string") return a.localeCompare(b);
	return (a ?? -1) - (b ?? -1);
}
