// Makes tabs choose their panels, by mouse and by arrow keys. Changed is called after each choice.
export function setUpTabs(list, changed) {
	const tabs = [...list.querySelectorAll("[role=tab]")];
	const choose = (chosen) => {
		for (const tab of tabs) {
			tab.setAttribute("aria-selected", tab === chosen);
			tab.tabIndex = tab === chosen ? 0 : -1;
			document.getElementById(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
		}
		changed();
	};
	list.onclick = (e) => {
		if (tabs.includes(e.target)) choose(e.target);
	};
	list.onkeydown = (e) => {
		const at = tabs.indexOf(document.activeElement);
		const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tabs.length - 1 }[e.key];
		if (to === undefined) return;
		e.preventDefault();
		const tab = tabs.at(to % tabs.length);
		choose(tab);
		tab.focus();
	};
}
