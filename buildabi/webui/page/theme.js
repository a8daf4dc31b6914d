// The theme is the system's until the button says otherwise; the choice is kept.

const key = "theme";

export function setUpTheme(button) {
	const root = document.documentElement;
	const dark = matchMedia("(prefers-color-scheme: dark)");
	const show = () => {
		const chosen = localStorage.getItem(key);
		if (chosen) root.dataset.theme = chosen;
		button.setAttribute("aria-pressed", chosen ? chosen === "dark" : dark.matches);
	};
	dark.onchange = show;
	button.onclick = () => {
		const pressed = button.getAttribute("aria-pressed") === "true";
		localStorage.setItem(key, pressed ? "light" : "dark");
		show();
	};
	show();
}
