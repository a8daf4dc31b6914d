//go:build long

package webui_test

import (
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/buildabi"
)

// views are the page's views: the tab, and what is there once it is drawn.
var views = []struct{ tab, drawn string }{
	{"steps", "#log:not(:empty)"}, {"times", "#times tbody tr"}, {"tests", "#tests tbody tr"},
	{"fuzz", "#source .part"},
}

// contrastScript returns the texts with too little contrast, and how many texts it has looked at.
const contrastScript = `(() => {
	const parse = (s) => {
		const n = s.match(/[\d.]+/g).map(Number);
		return [n[0], n[1], n[2], n[3] ?? 1];
	};
	const over = (top, under) => top.slice(0, 3).map((c, i) => c * top[3] + under[i] * (1 - top[3])).concat(1);
	const backs = (e) => {
		if (!e) return [[255, 255, 255, 1]];
		const style = getComputedStyle(e);
		const under = backs(e.parentElement).map((b) => over(parse(style.backgroundColor), b));
		const bars = style.backgroundImage.match(/rgba?\([^)]*\)/g) ?? [];
		return under.concat(bars.map((bar) => over(parse(bar), under[0])));
	};
	const light = (c) => c.slice(0, 3).map((v) => v / 255)
		.map((v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
	const contrast = (a, b) => {
		const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
		return (x + .05) / (y + .05);
	};
	const bad = [];
	let n = 0, least = 21;
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let node; (node = walk.nextNode());) {
		const e = node.parentElement;
		if (!node.data.trim() || !e.checkVisibility({ opacityProperty: true })) continue;
		n++;
		for (const kind of [null, "::before"]) {
			const colour = parse(getComputedStyle(e, kind).color);
			for (const back of backs(e)) {
				const ratio = contrast(over(colour, back), back);
				least = Math.min(least, ratio);
				if (ratio < 4.5) bad.push(node.data + ": " + ratio.toFixed(2));
			}
		}
	}
	return { bad, n, least };
})()`

// opened shows a page with something in every view.
func opened(t *testing.T) *browser {
	t.Helper()
	b := launch(t)
	h := startHost(t, buildabi.V3, "127.0.0.1:0")
	b.open(h.address)
	u := h.fill(10)
	b.until(`document.querySelector("#step-2") && document.querySelector("#elapsed").innerText`)
	h.fuzz(u)
	b.click("#step-2")
	return b
}

// TestContrast looks at each text of each view, in both themes: those of the system, and those
// that the button chooses.
func TestContrast(t *testing.T) {
	b := opened(t)
	b.themes(func(system string) {
		for _, theme := range []string{system, "chosen light", "chosen dark"} {
			_, chosen, isChosen := strings.Cut(theme, " ")
			b.run(nil, `localStorage.clear(); delete document.documentElement.dataset.theme;
				document.querySelector("#theme").setAttribute("aria-pressed", %t)`, chosen == "light")
			if isChosen {
				b.click("#theme")
			}
			b.contrast(t, system+" "+theme, isChosen && chosen == "dark" || theme == "dark")
		}
	})
	b.quiet()
}

// contrast checks every view, and that the theme is the one wanted.
func (b *browser) contrast(t *testing.T, theme string, dark bool) {
	for _, v := range views {
		b.click("#tab-" + v.tab)
		b.until(`document.querySelector(%q)`, v.drawn)
		if n := b.readable(t, theme+", "+v.tab); n < 15 {
			t.Errorf("%s, %s: only %d texts", theme, v.tab, n)
		}
		b.keep(strings.ReplaceAll(theme, " ", "-") + "-" + v.tab)
	}
	var isDark bool
	b.run(&isDark, `getComputedStyle(document.documentElement).backgroundColor === "rgb(20, 23, 26)"`)
	if isDark != dark {
		t.Errorf("%s: dark is %t", theme, isDark)
	}
}

// readable checks the contrast of the texts that are seen, and returns how many those are.
func (b *browser) readable(t *testing.T, what string) int {
	t.Helper()
	var got struct {
		Bad   []string
		N     int
		Least float64
	}
	b.run(&got, contrastScript)
	if len(got.Bad) > 0 {
		t.Errorf("%s: of %d texts %q", what, got.N, got.Bad)
	}
	t.Logf("%s: %d texts, least contrast %.2f", what, got.N, got.Least)
	return got.N
}

// themes calls a function with the page in each theme of the system.
func (b *browser) themes(f func(theme string)) {
	for _, theme := range []string{"light", "dark"} {
		b.call("Emulation.setEmulatedMedia", object{"features": []object{
			{"name": "prefers-color-scheme", "value": theme}}}, nil)
		f(theme)
	}
}

// node is one of the accessibility tree.
type node struct {
	Ignored    bool
	Role, Name struct{ Value string }
	Properties []struct {
		Name  string
		Value struct{ Value any }
	}
}

// TestNames shows that a screen reader has a role and a name for each thing that takes the focus.
func TestNames(t *testing.T) {
	b := opened(t)
	found := map[string]bool{}
	for _, v := range views {
		b.click("#tab-" + v.tab)
		b.until(`document.querySelector(%q)`, v.drawn)
		var tree struct{ Nodes []node }
		b.call("Accessibility.getFullAXTree", nil, &tree)
		for _, n := range tree.Nodes {
			found[n.Role.Value+" "+n.Name.Value] = true
			if n.Ignored || !n.focusable() || n.Role.Value == "RootWebArea" {
				continue
			}
			if n.Name.Value == "" || n.Role.Value == "generic" || n.Role.Value == "none" {
				t.Errorf("%s: a control of role %q with name %q", v.tab, n.Role.Value, n.Name.Value)
			}
		}
	}
	for _, want := range []string{"button Rebuild", "status Build", "status Connection", "timer Elapsed time", "button Dark theme", "searchbox Search steps",
		"combobox Show steps", "listbox Steps", "tab Fuzzing", "tabpanel Fuzzing", "log Log of the step",
		"option step 2 failed, 2.00 s", "columnheader Time", "combobox Source file", "button main.zig:3"} {
		if !found[want] {
			t.Errorf("no %s", want)
		}
	}
	if t.Failed() {
		t.Logf("there is %v", found)
	}
	b.quiet()
}

func (n *node) focusable() bool {
	for _, p := range n.Properties {
		if p.Name == "focusable" && p.Value.Value == true {
			return true
		}
	}
	return false
}

// TestKeys shows that the tabs are reached and chosen by keys.
func TestKeys(t *testing.T) {
	b := opened(t)
	b.run(nil, `document.querySelector("#tab-steps").focus()`)
	for _, c := range []struct{ key, view string }{{"ArrowRight", "times"}, {"ArrowRight", "tests"},
		{"End", "fuzz"}, {"ArrowRight", "steps"}, {"ArrowLeft", "fuzz"}, {"Home", "steps"}} {
		b.key(c.key)
		b.until(`document.activeElement.id === "tab-%s" && !document.querySelector("#%[1]s").hidden &&
			document.querySelectorAll("main > section:not([hidden])").length === 1`, c.view)
	}
	b.quiet()
}

// TestSearchKeys shows the way from the search to what is found, by keys alone, and from a table to
// a step that is not being searched for.
func TestSearchKeys(t *testing.T) {
	b := launch(t)
	h := startHost(t, buildabi.V3, "127.0.0.1:0")
	b.open(h.address)
	u := h.fill(1000)
	must(t, u.ReportTime(900, time.Minute))
	b.until(`document.querySelector("#step-0")`)
	b.key("/")
	b.key("7")
	b.key("Enter")
	b.until(`document.activeElement.id === "list" && document.querySelector("#chosen").innerText === "step 7"`)
	b.key("ArrowDown")
	b.until(`document.querySelector("#chosen").innerText === "step 17"`)
	b.click("#tab-times")
	b.until(`document.querySelector("#times tbody button")?.innerText === "step 900"`)
	b.run(nil, `document.querySelector("#times tbody button").focus()`)
	b.key("Enter")
	b.until(`!document.querySelector("#steps").hidden && document.activeElement.id === "list" &&
		document.querySelector("#chosen").innerText === "step 900" && document.querySelector("#search").value === ""`)
	b.until(`(() => {
		const view = document.querySelector("#viewport").getBoundingClientRect();
		const row = document.querySelector("#step-900").getBoundingClientRect();
		return row.top >= view.top && row.bottom <= view.bottom;
	})()`)
	b.quiet()
}

// TestListKeys shows how the list of steps is walked by keys, and that a screen reader is told where
// that leads.
func TestListKeys(t *testing.T) {
	b := launch(t)
	h := startHost(t, buildabi.V3, "127.0.0.1:0")
	h.board.StartBuild(steps(1000)...)
	b.open(h.address)
	b.until(`document.querySelector("#step-0")`)
	b.run(nil, `document.querySelector("#list").focus()`)
	var page int
	b.run(&page, `Math.floor(document.querySelector("#viewport").clientHeight / document.querySelector("#step-0").clientHeight)`)
	for _, c := range []struct {
		key  string
		want int
	}{{"ArrowDown", 0}, {"ArrowDown", 1}, {"ArrowUp", 0}, {"ArrowUp", 0}, {"PageDown", page},
		{"PageDown", 2 * page}, {"PageUp", page}, {"End", 999}, {"PageDown", 999}, {"ArrowDown", 999},
		{"Home", 0}, {"PageUp", 0}} {
		b.key(c.key)
		b.until(`document.querySelector("#chosen").innerText === "step %d"`, c.want)
		b.until(`(() => {
			const row = document.getElementById(document.querySelector("#list").getAttribute("aria-activedescendant"));
			return row.id === "step-%d" && row.ariaSelected === "true" && row.ariaPosInSet === "%d" &&
				row.ariaSetSize === "1000" && document.querySelectorAll("#list [aria-selected=true]").length === 1;
		})()`, c.want, c.want+1)
	}
	b.quiet()
}

// TestNarrow shows that nothing needs scrolling sideways on a small screen.
func TestNarrow(t *testing.T) {
	b := opened(t)
	b.size(320, 640)
	for _, v := range views {
		b.click("#tab-" + v.tab)
		b.until(`document.querySelector(%q)`, v.drawn)
		var wide []string
		b.run(&wide, `[document.documentElement, ...document.querySelectorAll("main > section, #detail")]
			.filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.id + e.scrollWidth)`)
		if len(wide) > 0 {
			t.Errorf("%s: too wide: %q", v.tab, wide)
		}
		b.keep("narrow-" + v.tab)
	}
	b.quiet()
}
