// Light or dark follows the system until the user chooses otherwise. The choice is a cookie, so that the server renders
// the page in it and nothing flashes.

const year = 365 * 24 * 60 * 60;

export function installThemeToggle(): void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const current = () => document.documentElement.dataset["theme"] ?? (system.matches ? "dark" : "light");

  document.addEventListener("click", event => {
    if (!(event.target as Element).closest("[data-theme-toggle]")) return;
    const chosen = current() === "dark" ? "light" : "dark";
    if (chosen === (system.matches ? "dark" : "light")) {
      // What the system says anyway: follow it again.
      delete document.documentElement.dataset["theme"];
      document.cookie = "theme=; path=/; max-age=0; samesite=lax";
    } else {
      document.documentElement.dataset["theme"] = chosen;
      document.cookie = `theme=${chosen}; path=/; max-age=${year}; samesite=lax`;
    }
  });
}
