// The messages of the build web interface, as FORMAT.md describes them.

export const buildStatuses = ["idle", "watching", "running", "fuzzing starts"];
export const stepStatuses = ["pending", "running", "done", "failed"];

// Input reads a message from its start. Reading past its end throws a RangeError.
class Input {
	constructor(buffer) {
		this.view = new DataView(buffer);
		this.bytes = new Uint8Array(buffer);
		this.at = 0;
	}
	skip(n) { return (this.at += n) - n; }
	u8() { return this.view.getUint8(this.skip(1)); }
	u16() { return this.view.getUint16(this.skip(2), true); }
	u32() { return this.view.getUint32(this.skip(4), true); }
	i64() { return Number(this.view.getBigInt64(this.skip(8), true)); }
	u64() { return Number(this.view.getBigUint64(this.skip(8), true)); }
	left() { return this.bytes.length - this.at; }
	many(n, read) {
		if (n > this.left()) throw new RangeError(`${n} values in ${this.left()} bytes`);
		return Array.from({ length: n }, () => read.call(this));
	}
	take(n) {
		if (n > this.left()) throw new RangeError(`${n} bytes of ${this.left()}`);
		return this.bytes.subarray(this.at, (this.at += n));
	}
	text(n) { return utf8.decode(this.take(n)); }
	string() {
		const end = this.bytes.indexOf(0, this.at);
		if (end < 0) throw new RangeError("a name without an end");
		const s = this.text(end - this.at);
		this.at++;
		return s;
	}
}

const utf8 = new TextDecoder();

const readers = [hello, status, step, sourceIndex, coverage, entryPoints, generic, compile, tests];

// Decodes one message to an object with its type. It throws on one that cannot be read.
export function decode(buffer) {
	const input = new Input(buffer);
	const tag = input.u8();
	if (!readers[tag]) throw new RangeError(`unknown tag ${tag}`);
	const message = readers[tag](input);
	if (input.left() !== 0) throw new RangeError(`${input.left()} bytes too many`);
	return message;
}

export const rebuild = new Uint8Array(1);

function hello(input) {
	const status = buildStatuses[input.u8()];
	const timeReport = (input.u16() & 1) === 1;
	const timestamp = input.i64();
	const lengths = input.many(input.u32(), input.u32);
	const names = lengths.map((n) => input.text(n));
	const bits = input.take(Math.ceil(names.length / 4));
	const steps = names.map((name, i) => (
		{ number: i, name, status: stepStatuses[bits[i >> 2] >> 2 * (i & 3) & 3] }));
	return { type: "hello", status, timeReport, timestamp, steps };
}

function status(input) {
	return { type: "status", status: buildStatuses[input.u8()] };
}

function step(input) {
	return { type: "step", step: input.u32(), status: stepStatuses[input.u8() & 3] };
}

// A V3 index has eight bytes more than one of V1. Its counts say how long it must be, so that
// nobody has to tell the page which version it is.
function sourceIndex(input) {
	input.skip(3);
	const [directories, files, locations, strings] = input.many(4, input.u32);
	const start = input.i64();
	const tables = 4 * directories + 8 * files + 12 * locations + strings;
	const startRuns = input.left() === tables + 8 ? input.u64() : 0;
	const directoryAt = input.many(directories, input.u32);
	const fileAt = input.many(files, () => ({ directory: input.u32(), name: input.u32() }));
	const index = {
		type: "index", start, startRuns,
		locations: input.many(locations, () => (
			{ file: input.u32(), line: input.u32(), column: input.u32() })),
	};
	const bytes = input.take(strings);
	const string = (at) => utf8.decode(bytes.subarray(at, bytes.indexOf(0, at)));
	index.files = fileAt.map((f) => `${string(directoryAt[f.directory])}/${string(f.name)}`);
	return index;
}

function coverage(input) {
	input.skip(7);
	return {
		type: "coverage", runs: input.u64(), uniqueRuns: input.u64(),
		bits: input.take(input.left()),
	};
}

function entryPoints(input) {
	const n = input.u8() | input.u16() << 8;
	return { type: "entries", locations: input.many(n, input.u32) };
}

function generic(input) {
	return { type: "time", step: input.u32(), total: input.u64() };
}

// The figures of a compiler, in the order of the message.
export const counts = ["Files reached", "Files imported", "Generic instances", "Inline calls"];
export const processorTimes = ["Parse", "AST", "Analysis", "Code", "Link"];
export const elapsedTimes = ["Files", "Declarations", "LLVM", "Link flush"];

function compile(input) {
	const message = { type: "compile", step: input.u32(), llvm: (input.u8() & 1) === 1 };
	message.counts = input.many(counts.length, input.u32);
	message.times = input.many(processorTimes.length + elapsedTimes.length, input.u64);
	message.total = input.u64();
	const [passes, files, decls] = input.many(3, input.u32);
	message.passes = input.text(passes);
	message.files = input.many(files, input.string);
	message.decls = input.many(decls, () => ({
		name: input.string(), file: message.files[input.u32()] ?? "", count: input.u32(),
		analysis: input.u64(), code: input.u64(), link: input.u64(),
	}));
	return message;
}

const notRun = 2 ** 64; // all ones, as a Number

function tests(input) {
	const message = { type: "tests", step: input.u32() };
	const ns = input.many(input.u32(), input.u64);
	message.tests = ns.map((t) => ({ name: input.string(), time: t === notRun ? null : t }));
	message.total = message.tests.reduce((sum, t) => sum + (t.time ?? 0), 0);
	return message;
}
