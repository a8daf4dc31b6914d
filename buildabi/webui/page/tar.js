const block = 512;
const utf8 = new TextDecoder();

// Returns the files of an archive, by name. It need not have blocks at its end.
export function untar(buffer) {
	const files = new Map();
	let longName = "";
	for (let at = 0; at + block <= buffer.byteLength;) {
		const head = new Uint8Array(buffer, at, block);
		const size = parseInt(field(head, 124, 12), 8) || 0;
		const kind = String.fromCharCode(head[156]);
		at += block;
		const content = new Uint8Array(buffer, at, Math.min(size, buffer.byteLength - at));
		at += Math.ceil(size / block) * block;
		if (kind === "L") {
			longName = field(content, 0, size);
			continue;
		}
		const prefix = field(head, 345, 155);
		const name = longName || (isPosix(head) && prefix ? `${prefix}/` : "") + field(head, 0, 100);
		longName = "";
		if (kind === "0" || kind === "\0") files.set(name, utf8.decode(content));
	}
	return files;
}

// The old GNU form has other things where POSIX has a prefix.
const isPosix = (head) => field(head, 257, 8) === "ustar";

function field(bytes, at, length) {
	const end = bytes.indexOf(0, at);
	return utf8.decode(bytes.subarray(at, end < 0 ? at + length : Math.min(end, at + length)));
}
