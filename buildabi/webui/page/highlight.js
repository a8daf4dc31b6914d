import { element } from "./dom.js";

const keywords = "addrspace align allowzero and anyframe anytype asm break callconv case catch " +
	"chan comptime const continue default defer else enum errdefer error export extern fallthrough " +
	"fn for func go goto if import inline interface linksection map noalias noinline nosuspend opaque " +
	"or orelse package packed pub range resume return select struct suspend switch test threadlocal " +
	"try type union unreachable usingnamespace var volatile while";

const tokens = new RegExp([
	/(?<comment>\/\/.*)/, /(?<string>"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|\\\\.*|`[^`]*`?)/,
	`(?<keyword>\\b(?:${keywords.replaceAll(" ", "|")})\\b)`,
	/(?<literal>\b(?:\d[\w.]*|true|false|null|nil|undefined)\b)/,
].map((r) => r.source ?? r).join("|"), "g");

// Returns the nodes of one line of Zig or Go.
export function highlight(line) {
	const nodes = [];
	let at = 0;
	for (const match of line.matchAll(tokens)) {
		if (match.index > at) nodes.push(line.slice(at, match.index));
		const kind = Object.keys(match.groups).find((k) => match.groups[k] !== undefined);
		nodes.push(element("span", { className: kind, textContent: match[0] }));
		at = match.index + match[0].length;
	}
	nodes.push(line.slice(at));
	return nodes;
}
