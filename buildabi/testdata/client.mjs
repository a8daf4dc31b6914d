// Plays sessions to Zig's own client, compiled to WebAssembly, and prints what it makes of them.
//
//   node client.mjs CLIENT.wasm < SESSIONS > RESULTS
//
// One JSON object a line on both sides: {"msgs": [{"at": ms, "hex": bytes}], "sources": hex,
// "select": n} in, and {"status", "steps", "reports", "stats", "source", "error", "after"} out. Of
// the last report of each step there is a digest. The error is that of the first message that the
// client stumbled over, after so many messages.
import crypto from "node:crypto";
import fs from "node:fs";

const module = new WebAssembly.Module(fs.readFileSync(process.argv[2]));

// Page stands for Zig's page: it keeps what the client shows, and throws where the page would.
class Page {
  constructor() {
    this.now = 0;
    this.status = -1;
    this.steps = [];
    this.timed = false;
    this.reports = {};
    this.panel = false;
    this.stats = "";
    this.source = "";
    this.said = "";
  }

  string(ptr, len) {
    if (len === 0) return ""; // its pointer may be anything
    return new TextDecoder().decode(new Uint8Array(this.client.memory.buffer, ptr, len));
  }

  text(ptr, len) {
    return this.string(ptr, len).replace(/<[^>]*>/g, " ").replace(/\s+/g, " ").trim();
  }

  setStatus(status) {
    if (status > 3) throw new Error(`no build status ${status}`);
    this.status = status;
  }

  // report takes what the page would show of a step: strings, and for a compilation a flag.
  report(step, ...parts) {
    if (!this.timed || step >= this.steps.length) throw new Error(`no entry for step ${step}`);
    const digest = crypto.createHash("sha256");
    for (let i = 0; i + 1 < parts.length; i += 2) digest.update(this.string(parts[i], parts[i + 1]) + "\0");
    this.reports[step] = digest.update(String(parts.length % 2 && parts.at(-1))).digest("hex");
  }

  fuzz() {
    if (!this.panel) throw new Error("no fuzz panel");
  }

  imports() {
    const name = (pair) => this.string(Number(pair & 0xffffffffn), Number(pair >> 32n));
    return {
      core: {
        log: (ptr, len) => {
          this.said = this.string(ptr, len);
        },
        panic: (ptr, len) => {
          throw new Error("panic: " + this.string(ptr, len));
        },
        timestamp: () => BigInt(1700000000000 + Math.floor(this.now)),
        hello: (count, status, reports) => {
          this.setStatus(status);
          this.timed = Boolean(reports);
          this.reports = {};
          this.panel = false;
          this.names = [];
          this.steps = [];
          for (let i = 0; i < count; i++) {
            this.names.push(name(BigInt.asUintN(64, BigInt(this.client.stepName(i)))));
            this.steps.push(this.client.stepStatus(i));
          }
        },
        updateBuildStatus: (status) => this.setStatus(status),
        updateStepStatus: (i) => {
          this.steps[i] = this.client.stepStatus(i);
        },
        sendWsMessage: () => {},
      },
      fuzz: {
        requestSources: () => {},
        ready: () => {
          this.panel = true;
        },
        updateStats: (ptr, len) => {
          this.fuzz();
          this.stats = this.text(ptr, len);
        },
        updateEntryPoints: () => this.fuzz(),
        updateSource: (ptr, len) => {
          this.source = this.text(ptr, len);
        },
        updateCoverage: () => {},
      },
      time_report: {
        updateGeneric: (...report) => this.report(...report),
        updateCompile: (...report) => this.report(...report),
        updateRunTest: (...report) => this.report(...report),
      },
    };
  }

  feed(bytes) {
    const ptr = this.client.message_begin(bytes.length);
    new Uint8Array(this.client.memory.buffer, ptr, bytes.length).set(bytes);
    this.client.message_end();
  }

  unpack(bytes) {
    const ptr = this.client.alloc(bytes.length);
    new Uint8Array(this.client.memory.buffer, ptr, bytes.length).set(bytes);
    this.client.fuzzUnpackSources(ptr, bytes.length);
  }
}

function play(session) {
  const page = new Page();
  page.client = new WebAssembly.Instance(module, page.imports()).exports;
  let after = 0;
  let error = "";
  try {
    for (const message of session.msgs ?? []) {
      page.now = message.at;
      page.feed(Buffer.from(message.hex, "hex"));
      after++;
    }
    if (session.sources) {
      page.unpack(Buffer.from(session.sources, "hex"));
      page.client.fuzzSelectSli(session.select);
    }
  } catch (e) {
    error = page.said.includes("panic: ") ? page.said : String(e); // the first says why
  }
  const { status, steps, names, reports, stats, source } = page;
  return { status, steps, names, reports, stats, source, error, after };
}

for (const line of fs.readFileSync(0, "utf8").trim().split("\n")) {
  console.log(JSON.stringify(play(JSON.parse(line))));
}
